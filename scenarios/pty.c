/* Terminals: settings, size, bytes that nobody has read in either direction, packet mode, a session with jobs. */
#include "workload.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>

#define DOWN 700 /* unread by the program on the terminal */
#define UP 900	 /* unread by the one who holds the other end */

enum { CONTROLLING, QUEUES, PACKET, PTYS };
enum { TELL, BACKGROUND };

static struct pty {
	int master, slave;
} ptys[PTYS];

static struct shared {
	volatile uint64_t asked, answered;
	volatile int order;
	pid_t leader, job;
	volatile int session, foreground, interrupts;
} *shared;

static void set_terminal(int which)
{
	struct pty *pty = &ptys[which];
	const struct winsize size = { 20 + (uint16_t)(seed_for(1) % 50), 70 + (uint16_t)(seed_for(2) % 90), 11, 13 };
	struct termios settings;

	if (tcgetattr(pty->slave, &settings))
		die("tcgetattr");
	if (which == QUEUES)
		cfmakeraw(&settings);
	settings.c_cc[VINTR] = 1 + which;
	settings.c_cc[VSTOP] = 14;
	settings.c_iflag |= which == CONTROLLING ? IXANY | IUTF8 : 0;
	settings.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(pty->slave, TCSANOW, &settings) || ioctl(pty->master, TIOCSWINSZ, &size))
		die("tcsetattr");
}

static void open_pty(int which)
{
	const int on = 1;
	struct pty *pty = &ptys[which];

	pty->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | (which == PACKET ? O_CLOEXEC : 0));
	if (pty->master < 0 || unlockpt(pty->master))
		die("posix_openpt");
	pty->slave = open(ptsname(pty->master), O_RDWR | O_NOCTTY);
	if (pty->slave < 0)
		die("pts");
	set_terminal(which);
	if (which == PACKET && ioctl(pty->master, TIOCPKT, &on))
		die("TIOCPKT");
}

static void put(int fd, const char *what, size_t size, uint64_t seed)
{
	uint8_t bytes[UP];

	fill(bytes, size, seed);
	if (write(fd, bytes, size) != (ssize_t)size)
		mismatch("%s: cannot be written to", what);
}

static size_t take(int fd, void *bytes, size_t size)
{
	size_t got = 0;

	for (long ms = 0; got < size && ms < wait_ms; ms += 2) {
		ssize_t count = 0;

		nap_until_readable(fd);
		if (poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 0) == 1)
			count = read(fd, (uint8_t *)bytes + got, size - got);
		got += count > 0 ? (size_t)count : 0;
	}
	return got;
}

static void compare_bytes(int fd, const char *what, size_t size, uint64_t seed)
{
	uint8_t bytes[UP];
	size_t got = take(fd, bytes, size);

	if (got != size)
		mismatch("%s: only %zu of %zu bytes", what, got, size);
	compare_fill(what, bytes, got, seed);
}

static void note_interrupt(int number)
{
	(void)number;
	shared->interrupts++;
}

/* The job in the foreground: an interrupt typed at the terminal is for it alone. */
static void be_job(void)
{
	setpgid(0, 0);
	shared->job = getpid();
	signal(SIGINT, note_interrupt);
	while (!kill(witness.pid, 0))
		sleep_ms(20);
	_exit(0);
}

/* Leads the session that the terminal controls, and answers for it. */
static void be_leader(void)
{
	pid_t job;

	signal(SIGTTOU, SIG_IGN);
	if (setsid() < 0 || ioctl(ptys[CONTROLLING].slave, TIOCSCTTY, 0))
		die("TIOCSCTTY");
	job = fork();
	if (job == 0)
		be_job();
	setpgid(job, job);
	tcsetpgrp(ptys[CONTROLLING].slave, job);
	for (;; sleep_ms(2)) {
		if (kill(witness.pid, 0))
			_exit(0);
		if (shared->asked == shared->answered)
			continue;
		if (shared->order == BACKGROUND)
			tcsetpgrp(ptys[CONTROLLING].slave, getpid());
		int own = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

		shared->session = own < 0 ? -1 : tcgetsid(own);
		shared->foreground = own < 0 ? -1 : tcgetpgrp(own);
		close(own);
		shared->answered++;
	}
}

static void ask_leader(int order)
{
	uint64_t before = shared->answered;

	shared->order = order;
	shared->asked++;
	if (!reaches(&shared->answered, before + 1))
		mismatch("the session's leader does not answer");
}

static void start_session(void)
{
	pid_t leader;

	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	leader = fork();
	if (leader < 0)
		die("fork");
	if (leader == 0)
		be_leader();
	shared->leader = leader;
	ask_leader(TELL);
}

static void describe_terminal(int which)
{
	const struct pty *pty = &ptys[which];
	struct termios settings = { 0 };
	struct winsize size = { 0 };
	char name[32], text[96];
	int number = -1, packet = -1;
	struct stat status = { 0 };

	tcgetattr(pty->slave, &settings);
	ioctl(pty->slave, TIOCGWINSZ, &size);
	ioctl(pty->master, TIOCGPTN, &number);
	ioctl(pty->master, TIOCGPKT, &packet);
	fstat(pty->slave, &status);
	snprintf(name, sizeof name, "pty%d", which);
	snprintf(text, sizeof text, "%d, mode %o, %ux%u, %ux%u, packet mode %d, flags %o", number, status.st_mode,
		 size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel, packet, fcntl(pty->master, F_GETFL));
	report_text(name, text);
	snprintf(name, sizeof name, "settings%d", which);
	snprintf(text, sizeof text, "%x %x %x %x", settings.c_iflag, settings.c_oflag, settings.c_cflag,
		 settings.c_lflag);
	report_text(name, text);
	snprintf(name, sizeof name, "characters%d", which);
	report_hash(name, settings.c_cc, sizeof settings.c_cc);
}

static void describe(void)
{
	for (int which = 0; which < PTYS; which++)
		describe_terminal(which);
	ask_leader(TELL);
	report_number("leader", (uint64_t)shared->leader);
	report_number("job", (uint64_t)shared->job);
	report_number("session of the terminal", (uint64_t)shared->session);
	report_number("foreground group", (uint64_t)shared->foreground);
}

/* The interrupt character goes to the foreground group, and to nobody else. */
static void compare_session(void)
{
	const char interrupt = 1 + CONTROLLING;

	if (shared->session != shared->leader)
		mismatch("the terminal's session is %d, expected %d", shared->session, shared->leader);
	if (shared->interrupts || write(ptys[CONTROLLING].master, &interrupt, 1) != 1)
		mismatch("the terminal cannot be typed at, or the job was interrupted already");
	for (long ms = 0; ms < wait_ms && !shared->interrupts; ms += 2)
		sleep_ms(2);
	if (shared->interrupts != 1)
		mismatch("the job in the foreground was interrupted %d times", shared->interrupts);
}

/* In packet mode each read says first what kind of thing follows: 0 is data. */
static void compare_packet(void)
{
	char packet[8] = "";

	if (write(ptys[PACKET].slave, "abc", 3) != 3 || take(ptys[PACKET].master, packet, 4) != 4)
		mismatch("packet mode: nothing comes");
	else if (memcmp(packet, "\0abc", 4))
		mismatch("packet mode: what comes is no packet");
}

/* A line with its end goes through settings that are not those of any new terminal. */
static void compare_line(void)
{
	char line[8] = "";

	if (write(ptys[CONTROLLING].master, "typed\r", 6) != 6 || take(ptys[CONTROLLING].slave, line, 6) != 6 ||
	    memcmp(line, "typed\n", 6))
		mismatch("a line that was typed does not come");
}

static void verify(void)
{
	const struct pty *queues = &ptys[QUEUES];

	compare_bytes(queues->slave, "to the program", DOWN, seed_for(10));
	compare_bytes(queues->master, "from the program", UP, seed_for(11));
	put(queues->slave, "later", 300, seed_for(12));
	compare_bytes(queues->master, "later", 300, seed_for(12));
	compare_session();
	compare_line();
	compare_packet();
	if (waitpid(shared->leader, NULL, WNOHANG) != 0)
		mismatch("the leader is not this process's child any more");
}

static void lose_down(void)
{
	uint8_t byte;

	take(ptys[QUEUES].slave, &byte, 1);
}

static void lose_up(void)
{
	tcflush(ptys[QUEUES].master, TCIFLUSH);
}

static void resize(void)
{
	const struct winsize size = { 25, 80, 0, 0 };

	ioctl(ptys[CONTROLLING].slave, TIOCSWINSZ, &size);
}

static void reset(void)
{
	struct termios settings;

	tcgetattr(ptys[CONTROLLING].slave, &settings);
	settings.c_cc[VSTOP] = 19;
	tcsetattr(ptys[CONTROLLING].slave, TCSANOW, &settings);
}

static void unpack(void)
{
	const int off = 0;

	ioctl(ptys[PACKET].master, TIOCPKT, &off);
}

static void background(void)
{
	ask_leader(BACKGROUND);
}

static const struct damage damages[] = {
	{ "down", lose_down }, { "up", lose_up },    { "size", resize },
	{ "settings", reset }, { "packet", unpack }, { "foreground", background },
	{ 0 },
};

int main(void)
{
	witness_start();
	for (int which = 0; which < PTYS; which++)
		open_pty(which);
	start_session();
	put(ptys[QUEUES].master, "to the program", DOWN, seed_for(10));
	put(ptys[QUEUES].slave, "from the program", UP, seed_for(11));
	if (mismatch_count)
		die(mismatches[0]);
	serve(describe, verify, damages);
}
