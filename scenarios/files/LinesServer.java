import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The server of line_client.py on a Java virtual machine: a thread for each connection, one that computes, one that sleeps. */
public final class LinesServer {
	private static final int PORT = 7000;
	private static final int STEP = 200_000;
	private static final int PILE = 2000;

	/** Something to move for a garbage collector: replaced bit by bit, always of the same worth. */
	private static final class Entry {
		final int number;
		final int[] square;

		Entry(int number) {
			this.number = number;
			this.square = new int[] { number * number };
		}
	}

	/** The loop's state, which others only ever see after whole steps. */
	private static final class Sum {
		final long rounds;
		final int state;

		Sum(long rounds, int state) {
			this.rounds = rounds;
			this.state = state;
		}
	}

	private final String id = Long.toHexString(new java.security.SecureRandom().nextLong());
	private final Map<String, String> shelf = new HashMap<>();
	private final Entry[] pile = new Entry[PILE];
	private int connections;
	private int waiting;
	private int beats;
	private boolean stopped;
	private volatile Sum sum = new Sum(0, 0);
	private volatile Thread adding;

	private LinesServer() {
		for (int number = 0; number < PILE; number++)
			pile[number] = new Entry(number);
	}

	/** One step, compiled while it runs. */
	private static int addUp(int state) {
		for (int i = 0; i < STEP; i++)
			state = state * 1664525 + 1013904223;
		return state;
	}

	private void addUpForEver(int state) {
		for (long rounds = STEP; Thread.currentThread() == adding; rounds += STEP) {
			state = addUp(state);
			sum = new Sum(rounds, state);
			for (int i = 0; i < 50; i++) {
				int number = (int) (rounds / STEP * 50 + i) % PILE;

				pile[number] = new Entry(number);
			}
			nap(10);
		}
	}

	private String startSum(int seed) {
		Thread thread = new Thread(() -> addUpForEver(seed), "adding");

		adding = thread;
		sum = new Sum(0, seed);
		thread.start();
		return "begun";
	}

	private void beatForEver() {
		while (true) {
			nap(20);
			synchronized (this) {
				if (!stopped)
					beats++;
			}
		}
	}

	private static void nap(long ms) {
		try {
			Thread.sleep(ms);
		} catch (InterruptedException e) {
			throw new IllegalStateException(e);
		}
	}

	private synchronized String await(String key) throws InterruptedException {
		waiting++;
		while (!shelf.containsKey(key))
			wait();
		waiting--;
		return shelf.get(key);
	}

	private synchronized String set(String key, String value) {
		shelf.put(key, value);
		notifyAll();
		return "done";
	}

	private synchronized String status() {
		return ProcessHandle.current().pid() + " " + id + " " + connections + " " + waiting;
	}

	private String churn() {
		long total = 0;

		for (Entry entry : pile)
			total += entry.square[0];
		return pile.length + " " + total;
	}

	/** Collect all garbage, with all of the collector's threads. */
	private String collect() {
		List<byte[]> waste = new ArrayList<>();

		for (int i = 0; i < 64; i++)
			waste.add(new byte[16 << 10]);
		waste.clear();
		System.gc();
		return "collected";
	}

	private String answer(String[] words) throws InterruptedException {
		switch (words[0]) {
		case "set": return set(words[1], words[2]);
		case "get": synchronized (this) { return shelf.getOrDefault(words[1], "none"); }
		case "wait": return await(words[1]);
		case "status": return status();
		case "beats": synchronized (this) { return Integer.toString(beats); }
		case "sum": return startSum((int) Long.parseLong(words[1]));
		case "rounds": Sum now = sum; return now.rounds + " " + Integer.toUnsignedString(now.state);
		case "churn": return churn();
		case "collect": return collect();
		case "stop": synchronized (this) { stopped = true; } return "stopped";
		default: return "what?";
		}
	}

	private synchronized void count(int change) {
		connections += change;
	}

	private void handle(Socket socket) {
		count(1);
		try (socket) {
			BufferedReader reader =
				new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
			OutputStream output = socket.getOutputStream();

			for (String line = reader.readLine(); line != null; line = reader.readLine())
				output.write((answer(line.trim().split(" ")) + "\n").getBytes(StandardCharsets.UTF_8));
		} catch (IOException | InterruptedException e) {
			System.err.println(e);
		} finally {
			count(-1);
		}
	}

	private void run() throws IOException {
		new Thread(this::beatForEver, "beating").start();
		try (ServerSocket listener = new ServerSocket(PORT, 8, InetAddress.getLoopbackAddress())) {
			while (true) {
				Socket socket = listener.accept();

				socket.setTcpNoDelay(true);
				new Thread(() -> handle(socket), "client " + socket.getPort()).start();
			}
		}
	}

	public static void main(String[] arguments) throws IOException {
		new LinesServer().run();
	}
}
