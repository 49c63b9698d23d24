/* fanbench: how fast does one item reach many subscribers, and does it reach each of them exactly once?
 *
 * One epoll process on the loopback interface. Opens N subscribers that all send the same request, waits until each has
 * its answer (101 or 200, and the text READY if given), says so, and then per round publishes one request over one
 * keep-alive connection and notes when every subscriber got it. It looks for texts and parses no protocol, so that it is
 * not the bottleneck.
 *
 *   fanbench PORT N REQUEST_FILE READY PUBLISH_PORT PUBLISH_FILE ITEMS ROUNDS PAUSE_MS DEADLINE_S CONNECTS_AT_ONCE
 *
 * REQUEST_FILE, PUBLISH_FILE  the bytes to send, headers included. PUBLISH_FILE has the text "fanbench000000" once in
 *                             each of its ITEMS items; the digits are set to the number of the round, from 1 on.
 * READY                       a text that says the subscription stands, or "" if the status line says so
 *
 * Standard output has one JSON object per line: "held" when all subscribers are answered (then it waits for a line or the
 * end of standard input, so that somebody may weigh the server), one "round" per round, and "end". Times are in
 * milliseconds from just before the publish is written. Exit status 2: it could not be run at all.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MARKER "fanbench"
#define DIGITS 6
#define MARKER_BYTES (sizeof MARKER - 1 + DIGITS)
#define TAIL_BYTES 64              /* of what was read before: enough for a text that two reads cut in half */
#define READ_BYTES (1 << 17)
#define SUBSCRIBERS_PER_ADDRESS 20000 /* below the 28,232 ports that Linux gives out per address pair */
#define ROUND_TIMEOUT_S 20.0
#define QUIET_S 0.3                /* nothing arrived for so long: greetings are over, strays are in */
#define QUIET_WITHIN_S 1.5         /* by then at the latest: keep-alives may come all the time */
#define REST_NS 1000000
#define FEW_EVENTS 64
#define PUBLISHER UINT32_MAX
#define STANDARD_INPUT (UINT32_MAX - 1)

typedef enum { CONNECTING, ASKED, ANSWERED, READY, REFUSED, LOST } State;

typedef struct {
    int fd;
    State state;
    int tail_bytes;
    int arrived; /* markers of this round */
    char tail[TAIL_BYTES];
} Subscriber;

typedef struct {
    char *bytes;
    int length;
} Text;

static struct {
    int port, publish_port, subscribers, items, rounds, pause_ms, connects_at_once;
    const char *ready;
    Text request, publish;
} plan;

static Subscriber *all;
static int queue, started, under_way, ready, refused, lost;
static int publisher = -1, publish_status;
static double publish_answered_at, deadline;
static int round_number, arrived, repeated_or_stray;
static double *arrival_times, round_started_at;
static char buffer[TAIL_BYTES + READ_BYTES + 1];
static int standard_input_spoke;

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

static void give_up(const char *what) {
    fprintf(stderr, "fanbench: %s: %s\n", what, strerror(errno));
    exit(2);
}

static Text read_file(const char *name) {
    FILE *file = fopen(name, "rb");
    if (!file) give_up(name);
    Text text = {malloc(1 << 22), 0};
    text.length = (int)fread(text.bytes, 1, (1 << 22) - 1, file);
    text.bytes[text.length] = 0;
    fclose(file);
    return text;
}

static void watch(int fd, uint32_t tag, uint32_t events) {
    struct epoll_event event = {.events = events, .data.u32 = tag};
    if (epoll_ctl(queue, EPOLL_CTL_ADD, fd, &event)) give_up("epoll_ctl");
}

static struct sockaddr_in loopback(int last_byte, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(0x7f000000u + (uint32_t)last_byte);
    return address;
}

/* ---- subscribers ---- */

static void settle(Subscriber *one, State state) {
    int was_open = one->state < READY;
    if (was_open) under_way--;
    if (state == READY) ready++;
    else if (was_open) refused++;
    else lost++;
    one->state = state;
    if (state > READY) close(one->fd);
}

static void start_subscriber(int index) {
    int on = 1;
    Subscriber *one = &all[index];
    one->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (one->fd < 0) give_up("socket");
    setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(one->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    struct sockaddr_in from = loopback(2 + index / SUBSCRIBERS_PER_ADDRESS, 0), to = loopback(1, plan.port);
    if (bind(one->fd, (struct sockaddr *)&from, sizeof from)) give_up("bind");
    if (connect(one->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) give_up("connect");
    under_way++;
    watch(one->fd, (uint32_t)index, EPOLLIN | EPOLLOUT | EPOLLET);
}

static void ask(Subscriber *one) {
    ssize_t written = send(one->fd, plan.request.bytes, (size_t)plan.request.length, MSG_NOSIGNAL);
    if (written == plan.request.length) one->state = ASKED;
    else if (errno != EAGAIN) settle(one, REFUSED);
}

/* How far a subscriber that is not ready yet has come with `text`, all that it got of late. */
static void greet(Subscriber *one, const char *text, int length) {
    if (one->state == ASKED && length >= 12) {
        if (!strncmp(text, "HTTP/1.1 101", 12) || !strncmp(text, "HTTP/1.1 200", 12)) {
            one->state = ANSWERED;
        } else {
            if (refused < 3) fprintf(stderr, "fanbench: refused: %.*s\n", length < 200 ? length : 200, text);
            settle(one, REFUSED);
            return;
        }
    }
    if (one->state == ANSWERED && (!*plan.ready || memmem(text, (size_t)length, plan.ready, strlen(plan.ready))))
        settle(one, READY);
}

/* Count the markers in `text`: those of this round, and those that should not have come. Returns what to keep of it. */
static int count_markers(Subscriber *one, const char *text, int length) {
    const char *at = text, *end = text + length;
    while ((at = memmem(at, (size_t)(end - at), MARKER, sizeof MARKER - 1)) && end - at >= (int)MARKER_BYTES) {
        int of_round = atoi(at + sizeof MARKER - 1);
        at += MARKER_BYTES;
        if (of_round != round_number || one->arrived == plan.items) {
            repeated_or_stray++;
            continue;
        }
        one->arrived++;
        arrival_times[arrived++] = now() - round_started_at;
    }
    if (at) return (int)(end - at); /* a marker whose digits are still to come */
    int keep = length < (int)sizeof MARKER - 2 ? length : (int)sizeof MARKER - 2;
    while (keep && strncmp(end - keep, MARKER, (size_t)keep)) keep--;
    return keep;
}

static void receive(Subscriber *one) {
    for (;;) {
        memcpy(buffer, one->tail, (size_t)one->tail_bytes);
        ssize_t got = recv(one->fd, buffer + one->tail_bytes, READ_BYTES, 0);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) {
            settle(one, one->state == READY ? LOST : REFUSED);
            return;
        }
        int length = one->tail_bytes + (int)got, keep = length < TAIL_BYTES ? length : TAIL_BYTES;
        buffer[length] = 0;
        if (one->state == READY) keep = count_markers(one, buffer, length);
        else {
            greet(one, buffer, length);
            if (one->state > READY) return;
            if (one->state == READY) keep = 0;
        }
        memcpy(one->tail, buffer + length - keep, (size_t)keep);
        one->tail_bytes = keep;
        if (got < READ_BYTES) return; /* edge-triggered: a short read has emptied the socket, more makes a new event */
    }
}

static void step(Subscriber *one, uint32_t events) {
    if (one->state == CONNECTING && (events & (EPOLLERR | EPOLLHUP))) settle(one, REFUSED);
    if (one->state == CONNECTING && (events & EPOLLOUT)) ask(one);
    if (one->state > CONNECTING && one->state <= READY && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) receive(one);
}

/* ---- the publisher ---- */

static void open_publisher(void) {
    int on = 1;
    struct sockaddr_in to = loopback(1, plan.publish_port);
    if (publisher >= 0) close(publisher);
    publisher = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(publisher, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (publisher < 0 || connect(publisher, (struct sockaddr *)&to, sizeof to)) give_up("connect to publish");
    watch(publisher, PUBLISHER, EPOLLIN);
}

static void read_publish_answer(void) {
    char answer[4096];
    ssize_t got = recv(publisher, answer, sizeof answer - 1, MSG_DONTWAIT);
    if (got < 0) return;
    if (got == 0) {
        epoll_ctl(queue, EPOLL_CTL_DEL, publisher, NULL);
        return;
    }
    answer[got] = 0;
    if (publish_status || strncmp(answer, "HTTP/1.1 ", 9)) return;
    publish_status = atoi(answer + 9);
    publish_answered_at = now();
    if (publish_status / 100 != 2) fprintf(stderr, "fanbench: publish: %.300s\n", answer);
}

static void write_publish(void) {
    char number[16];
    snprintf(number, sizeof number, "%0*d", DIGITS, round_number);
    char *at = plan.publish.bytes, *end = at + plan.publish.length;
    while ((at = memmem(at, (size_t)(end - at), MARKER, sizeof MARKER - 1))) {
        at += sizeof MARKER - 1;
        memcpy(at, number, DIGITS);
    }
    for (int sent = 0; sent < plan.publish.length;) {
        ssize_t written = send(publisher, plan.publish.bytes + sent, (size_t)(plan.publish.length - sent), MSG_NOSIGNAL);
        if (written < 0) give_up("publish");
        sent += (int)written;
    }
}

/* ---- waiting ---- */

/* Handle what happened; return how many events there were. After a turn with little to do, rest a moment: whoever sends
   to a process that sleeps in epoll_wait has to wake it, and distant clients cost a server nothing of the kind. */
static int turn(int wait_ms) {
    static struct epoll_event events[1024];
    static const struct timespec moment = {.tv_nsec = REST_NS};
    int count = epoll_wait(queue, events, 1024, wait_ms);
    for (int i = 0; i < count; i++) {
        uint32_t tag = events[i].data.u32;
        if (tag == PUBLISHER) read_publish_answer();
        else if (tag == STANDARD_INPUT) standard_input_spoke = 1;
        else step(&all[tag], events[i].events);
    }
    if (count > 0 && count < FEW_EVENTS) nanosleep(&moment, NULL);
    return count < 0 ? 0 : count;
}

static void wait_until_quiet(void) {
    double began = now();
    for (double since = began; now() - since < QUIET_S && now() - began < QUIET_WITHIN_S && now() < deadline;)
        if (turn(50)) since = now();
}

static void rest(int ms) {
    for (double until = now() + ms * 1e-3; now() < until && now() < deadline;) turn(10);
}

static void connect_all(void) {
    double began = now();
    while (ready + refused < plan.subscribers && now() < deadline) {
        while (started < plan.subscribers && under_way < plan.connects_at_once) start_subscriber(started++);
        turn(100);
    }
    double took = now() - began;
    wait_until_quiet();
    printf("{\"event\": \"held\", \"ready\": %d, \"refused\": %d, \"took_s\": %.4f, \"connects_per_s\": %.0f}\n", ready,
           refused, took, ready / took);
    fflush(stdout);
}

static void wait_for_a_line(void) {
    char line[64];
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = STANDARD_INPUT};
    if (epoll_ctl(queue, EPOLL_CTL_ADD, 0, &event)) return; /* a file or /dev/null: nobody wants to weigh */
    while (!standard_input_spoke && now() < deadline) turn(100);
    if (read(0, line, sizeof line) < 0) give_up("standard input");
    epoll_ctl(queue, EPOLL_CTL_DEL, 0, NULL);
}

/* ---- rounds ---- */

static int publisher_is_gone(void) {
    char byte;
    return publisher < 0 || recv(publisher, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static int by_value(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double quantile_ms(double share) {
    return arrived ? arrival_times[(int)(share * (arrived - 1))] * 1e3 : 0.0;
}

static void report_round(int expected) {
    int missing = 0;
    for (int i = 0; i < started; i++)
        if (all[i].state == READY && all[i].arrived < plan.items) missing++;
    qsort(arrival_times, (size_t)arrived, sizeof *arrival_times, by_value);
    double last_ms = quantile_ms(1.0);
    printf("{\"event\": \"round\", \"round\": %d, \"expected\": %d, \"arrived\": %d, \"missing\": %d, \"extra\": %d, "
           "\"status\": %d, \"answered_ms\": %.3f, \"first_ms\": %.3f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, "
           "\"last_ms\": %.3f, \"messages_per_s\": %.0f}\n",
           round_number, expected, arrived, missing, repeated_or_stray, publish_status,
           publish_status ? (publish_answered_at - round_started_at) * 1e3 : 0.0, quantile_ms(0.0), quantile_ms(0.5),
           quantile_ms(0.99), last_ms, last_ms > 0 ? arrived / last_ms * 1e3 : 0.0);
    fflush(stdout);
    repeated_or_stray = 0;
}

static void run_round(void) {
    int expected = ready - lost;
    expected *= plan.items;
    round_number++;
    arrived = publish_status = 0; /* what came too often since the last report counts for this round */
    for (int i = 0; i < started; i++) all[i].arrived = 0;
    if (publisher_is_gone()) open_publisher(); /* some servers close after each answer */
    round_started_at = now();
    write_publish();
    double round_deadline = round_started_at + ROUND_TIMEOUT_S;
    while ((arrived < expected || !publish_status) && now() < round_deadline && now() < deadline) turn(50);
    wait_until_quiet(); /* what comes twice comes now */
    report_round(expected);
}

/* ---- the whole ---- */

static void allow_many_files(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < (rlim_t)plan.subscribers + 32) {
        fprintf(stderr, "fanbench: %d subscribers need as many open files; the limit here is %llu (ulimit -n)\n",
                plan.subscribers, (unsigned long long)limit.rlim_cur);
        exit(2);
    }
}

int main(int count, char **words) {
    if (count != 12) {
        fprintf(stderr, "usage: see the head of fanbench.c\n");
        return 2;
    }
    plan.port = atoi(words[1]);
    plan.subscribers = atoi(words[2]);
    plan.request = read_file(words[3]);
    plan.ready = words[4];
    plan.publish_port = atoi(words[5]);
    plan.publish = read_file(words[6]);
    plan.items = atoi(words[7]);
    plan.rounds = atoi(words[8]);
    plan.pause_ms = atoi(words[9]);
    deadline = now() + atof(words[10]);
    plan.connects_at_once = atoi(words[11]);
    allow_many_files();
    all = calloc((size_t)plan.subscribers, sizeof *all);
    arrival_times = calloc((size_t)plan.subscribers * (size_t)plan.items, sizeof *arrival_times);
    if ((queue = epoll_create1(EPOLL_CLOEXEC)) < 0 || !all || !arrival_times) give_up("set-up");
    connect_all();
    wait_for_a_line();
    open_publisher();
    while (round_number < plan.rounds && now() < deadline) {
        run_round();
        rest(plan.pause_ms);
    }
    printf("{\"event\": \"end\", \"lost\": %d, \"extra\": %d, \"timed_out\": %s}\n", lost, repeated_or_stray,
           now() < deadline ? "false" : "true");
    return 0;
}
