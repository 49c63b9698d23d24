/* crowd: many subscribers that wait for items, and say when each of them got its first one.
 *
 *   crowd PORT N REQUEST_FILE READY MARKER CONNECTS_AT_ONCE
 *
 * Opens N connections to 127.0.0.1:PORT that all send the request, and waits. A subscriber is ready when READY has come,
 * or, if that is "", as soon as it has sent its request: a long-poll, which is answered with the item, or empty when its
 * time is up, and asked again then. It has got an item when MARKER has come. Every "fansub000000" in the request gets the
 * subscriber's number. Standard output has a JSON object per line: "progress" every 100 ms in which something changed,
 * and "round" for each line that comes on standard input: what has come since the one before, with all times of arrival in
 * seconds of CLOCK_MONOTONIC, which all processes of a machine share. The end of standard input is a last line. Exit
 * status 2: it could not be run at all.
 *
 * With PORT 0 the connections are there already: whoever started this has opened them and asked for what is wanted, and
 * REQUEST_FILE holds the N numbers of their file descriptors, one a line.
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

#define READ_BYTES 65536
#define TAIL_BYTES 32   /* of what was read before: enough for a text that two reads cut in half */
#define PROGRESS_S 0.1
#define REST_NS 1000000
#define FEW_EVENTS 64
#define STANDARD_INPUT UINT32_MAX
#define PLACEHOLDER "fansub"
#define DIGITS 6

typedef enum { CONNECTING, ASKED, READY, GONE } State;

typedef struct {
    int fd, tail_bytes, items;
    State state;
    double arrived_at; /* of the first item; 0: not yet */
    char tail[TAIL_BYTES];
} Subscriber;

static int port, wanted, at_once, queue, started, under_way, is_over;
static int connected, ready, refused, lost, received, repeated;
static double last_at; /* of all items */
static char request[8192], buffer[TAIL_BYTES + READ_BYTES + 1];
static int request_bytes;
static FILE *descriptors; /* of connections that are there already */
static const char *ready_text, *marker;
static Subscriber *all;

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

static void give_up(const char *what) {
    fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void watch(int fd, uint32_t tag, uint32_t events) {
    struct epoll_event event = {.events = events, .data.u32 = tag};
    if (epoll_ctl(queue, EPOLL_CTL_ADD, fd, &event)) give_up("epoll_ctl");
}

static void become_ready(Subscriber *one) {
    one->state = READY;
    under_way--;
    ready++;
}

static void leave(Subscriber *one) {
    if (one->state == READY) lost += !one->arrived_at; /* some servers close behind the item */
    else {
        under_way--;
        refused++;
    }
    one->state = GONE;
    close(one->fd);
}

/* Go on with a connection that somebody else has opened. */
static void inherit(Subscriber *one) {
    if (fscanf(descriptors, "%d", &one->fd) != 1 || fcntl(one->fd, F_SETFL, O_NONBLOCK)) give_up("a file descriptor");
    under_way++;
    connected++;
    become_ready(one);
    watch(one->fd, (uint32_t)(one - all), EPOLLIN | EPOLLET);
}

static void start(int index) {
    int on = 1;
    Subscriber *one = &all[index];
    if (!port) {
        inherit(one);
        return;
    }
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    one->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (one->fd < 0) give_up("socket");
    setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(one->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) give_up("connect");
    under_way++;
    watch(one->fd, (uint32_t)index, EPOLLIN | EPOLLOUT | EPOLLET);
}

/* Put the subscriber's number where the request wants it. */
static void number_request(Subscriber *one) {
    char number[16], *at = request;
    while ((at = strstr(at, PLACEHOLDER))) {
        snprintf(number, sizeof number, "%0*d", DIGITS, (int)(one - all));
        memcpy(at + sizeof PLACEHOLDER - 1, number, DIGITS);
        at += sizeof PLACEHOLDER - 1;
    }
}

static void ask(Subscriber *one) {
    number_request(one);
    if (send(one->fd, request, (size_t)request_bytes, MSG_NOSIGNAL) != request_bytes) {
        if (errno != EAGAIN) leave(one);
        return;
    }
    connected++;
    one->state = ASKED;
    if (!*ready_text) become_ready(one);
}

/* A poll that was answered without the item, since its time was up, is asked again: the request says from where. */
static void ask_again(Subscriber *one, int length) {
    int is_whole = length > 1 && buffer[length - 2] == '}' && buffer[length - 1] == '\n';
    number_request(one);
    if (is_whole && send(one->fd, request, (size_t)request_bytes, MSG_NOSIGNAL) != request_bytes) leave(one);
}

/* Look at what came, with the end of what came before. */
static void look(Subscriber *one, int length) {
    if (one->state == ASKED && memmem(buffer, (size_t)length, ready_text, strlen(ready_text))) become_ready(one);
    const char *at = memmem(buffer, (size_t)length, marker, strlen(marker)), *end = buffer + length;
    for (; at; at = memmem(at + 1, (size_t)(end - at - 1), marker, strlen(marker))) {
        one->items++;
        last_at = now();
        if (one->arrived_at > 0) repeated++;
        else {
            one->arrived_at = last_at;
            received++;
        }
    }
    /* Less than a whole marker, so that none is counted twice. */
    int longest = (int)strlen(marker) - 1, keep = length < longest ? length : longest;
    if (one->state == ASKED) keep = length < TAIL_BYTES ? length : TAIL_BYTES;
    memcpy(one->tail, end - keep, (size_t)keep);
    one->tail_bytes = keep;
    if (!*ready_text && !(one->arrived_at > 0)) ask_again(one, length);
}

static void receive(Subscriber *one) {
    for (;;) {
        memcpy(buffer, one->tail, (size_t)one->tail_bytes);
        ssize_t got = recv(one->fd, buffer + one->tail_bytes, READ_BYTES, 0);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) {
            leave(one);
            return;
        }
        look(one, one->tail_bytes + (int)got);
        if (one->state == GONE || got < READ_BYTES) return; /* edge-triggered: more makes a new event */
    }
}

static void step(Subscriber *one, uint32_t events) {
    if (one->state == CONNECTING && (events & (EPOLLERR | EPOLLHUP))) leave(one);
    if (one->state == CONNECTING && (events & EPOLLOUT)) ask(one);
    if (one->state > CONNECTING && one->state < GONE && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) receive(one);
}

static int told[6] = {-1}; /* the numbers of the last progress */

static void tell_progress(void) {
    int numbers[6] = {connected, ready, refused, lost, received, repeated};
    if (!memcmp(told, numbers, sizeof told)) return;
    memcpy(told, numbers, sizeof told);
    printf("{\"event\": \"progress\", \"connected\": %d, \"ready\": %d, \"refused\": %d, \"lost\": %d, \"received\": %d, "
           "\"repeated\": %d}\n", connected, ready, refused, lost, received, repeated);
    fflush(stdout);
}

static void tell_round(void) {
    const char *comma = "";
    int least = wanted ? all[0].items : 0, most = 0;
    for (int i = 0; i < wanted; i++) {
        if (all[i].items < least) least = all[i].items;
        if (all[i].items > most) most = all[i].items;
    }
    printf("{\"event\": \"round\", \"ready\": %d, \"refused\": %d, \"lost\": %d, \"received\": %d, \"repeated\": %d, "
           "\"least\": %d, \"most\": %d, \"last_at\": %.6f, \"arrivals\": [", ready, refused, lost, received, repeated,
           least, most, last_at);
    for (int i = 0; i < wanted; i++) {
        if (!(all[i].arrived_at > 0)) continue;
        printf("%s%.5f", comma, all[i].arrived_at);
        comma = ",";
    }
    printf("]}\n");
    fflush(stdout);
    received = repeated = 0;
    told[0] = -1; /* those of the next round are told though they be the same */
    last_at = 0;
    for (int i = 0; i < wanted; i++) all[i].arrived_at = all[i].items = 0;
}

static void read_standard_input(void) {
    char line[64];
    if (read(0, line, sizeof line) <= 0) is_over = 1;
    else tell_round();
}

static void turn(void) { /* it rests after a turn with little to do; see fanbench.c for the reason */
    static struct epoll_event events[1024];
    static const struct timespec moment = {.tv_nsec = REST_NS};
    int count = epoll_wait(queue, events, 1024, 50);
    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == STANDARD_INPUT) read_standard_input();
        else step(&all[events[i].data.u32], events[i].events);
    }
    if (count > 0 && count < FEW_EVENTS) nanosleep(&moment, NULL);
}

static void read_words(int count, char **words) {
    if (count != 7) {
        fprintf(stderr, "usage: see the head of crowd.c\n");
        exit(2);
    }
    port = atoi(words[1]);
    wanted = atoi(words[2]);
    FILE *file = fopen(words[3], "rb");
    if (!file) give_up(words[3]);
    if (port) {
        request_bytes = (int)fread(request, 1, sizeof request - 1, file);
        fclose(file);
    } else descriptors = file;
    ready_text = words[4];
    marker = words[5];
    at_once = atoi(words[6]);
    if (strlen(marker) < 1 || strlen(marker) > TAIL_BYTES || strlen(ready_text) > TAIL_BYTES) {
        fprintf(stderr, "crowd: MARKER needs 1 to %d characters, READY at most %d\n", TAIL_BYTES, TAIL_BYTES);
        exit(2);
    }
}

int main(int count, char **words) {
    struct rlimit limit;
    read_words(count, words);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < (rlim_t)wanted + 16) {
        fprintf(stderr, "crowd: %d subscribers need as many open files; the limit here is %llu (ulimit -n)\n", wanted,
                (unsigned long long)limit.rlim_cur);
        return 2;
    }
    all = calloc((size_t)wanted, sizeof *all);
    if ((queue = epoll_create1(EPOLL_CLOEXEC)) < 0 || !all) give_up("set-up");
    watch(0, STANDARD_INPUT, EPOLLIN);
    for (double told_at = 0; !is_over;) {
        while (started < wanted && under_way < at_once) start(started++);
        turn();
        if (now() - told_at >= PROGRESS_S) {
            tell_progress();
            told_at = now();
        }
    }
    tell_progress();
    tell_round();
    return 0;
}
