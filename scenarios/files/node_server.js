// The server of line_client.py with Node.js: promises that nobody has kept yet, a timer, a worker thread that computes.
"use strict";

const crypto = require("node:crypto");
const net = require("node:net");
const { Worker, isMainThread, parentPort, workerData } = require("node:worker_threads");

const PORT = 7000;
const STEP = 20000;

function addUp() {
	let rounds = 0;
	let state = workerData;

	setInterval(() => {
		for (let i = 0; i < STEP; i++)
			state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		rounds += STEP;
		parentPort.postMessage([rounds, state]);
	}, 10);
}

class Server {
	id = crypto.randomBytes(8).toString("hex");
	shelf = new Map();
	waiting = new Map();
	connections = 0;
	beats = 0;
	sum = [0, 0];
	pile = Array.from({ length: 5000 }, (_, number) => ({ number, square: [number * number] }));
	beating = setInterval(() => this.beats++, 20);

	startSum(seed) {
		this.worker?.terminate();
		const worker = new Worker(__filename, { workerData: seed });
		worker.on("message", (sum) => {
			if (worker === this.worker)
				this.sum = sum;
		});
		this.worker = worker;
		return "begun";
	}

	set(key, value) {
		this.shelf.set(key, value);
		for (const keep of this.waiting.get(key) ?? [])
			keep(value);
		this.waiting.delete(key);
		return "done";
	}

	wait(key) {
		return new Promise((keep) => this.waiting.set(key, [...(this.waiting.get(key) ?? []), keep]));
	}

	status() {
		const waiting = [...this.waiting.values()].reduce((sum, keeps) => sum + keeps.length, 0);
		return `${process.pid} ${this.id} ${this.connections} ${waiting}`;
	}

	answer([command, key, value]) {
		switch (command) {
		case "set": return this.set(key, value);
		case "get": return this.shelf.get(key) ?? "none";
		case "wait": return this.wait(key);
		case "status": return this.status();
		case "beats": return String(this.beats);
		case "sum": return this.startSum(Number(key));
		case "rounds": return this.sum.join(" ");
		case "churn": return `${this.pile.length} ${this.pile.reduce((sum, entry) => sum + entry.square[0], 0)}`;
		case "stop": clearInterval(this.beating); return "stopped";
		default: return "what?";
		}
	}

	async handle(socket) {
		let rest = "";

		this.connections++;
		socket.setNoDelay();
		socket.on("error", () => socket.destroy());
		socket.on("close", () => this.connections--);
		for await (const chunk of socket) {
			const lines = (rest + chunk).split("\n");
			rest = lines.pop();
			for (const line of lines)
				socket.write(`${await this.answer(line.trim().split(" "))}\n`);
		}
	}

	run() {
		net.createServer((socket) => this.handle(socket).catch(() => socket.destroy())).listen(PORT, "127.0.0.1");
	}
}

if (isMainThread)
	new Server().run();
else
	addUp();
