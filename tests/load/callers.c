/* callers: some callers that send the same kind of request over and over, each over one keep-alive connection, or over a new
 * one each time if the server closes them.
 *
 *   callers PORT CALLERS SECONDS REQUESTS REQUEST_FILE CHANNELS
 *
 * Each caller sends its next request when the one before is answered, until SECONDS are over or REQUESTS (0: any number)
 * were sent by all together. Every "fansub000000" in the request gets the number of the next channel of CHANNELS, all
 * around. Standard output has one JSON object: how many were answered with 2xx and how many otherwise, when the first was
 * sent (seconds of CLOCK_MONOTONIC), how long all took, and the times of the answers. Exit status 2: it could not be run.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PLACEHOLDER "fansub"
#define DIGITS 6
#define MAX_TIMES 4000000
#define MAX_CALLERS 1024

typedef struct {
    int fd, is_waiting, answer_bytes;
    double sent_at;
    char answer[65536];
} Caller;

static int port, callers, wanted, channels, queue, sent, good, bad, next_channel;
static double seconds, began_at;
static char *request;
static size_t request_bytes;
static float *times;
static Caller *all;

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

static void give_up(const char *what) {
    fprintf(stderr, "callers: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void read_request(const char *name) {
    FILE *file = fopen(name, "rb");
    if (!file) give_up(name);
    request = malloc(1 << 22);
    request_bytes = fread(request, 1, (1 << 22) - 1, file);
    request[request_bytes] = 0;
    fclose(file);
}

static void number_channels(void) {
    char number[16], *at = request;
    while (channels && (at = strstr(at, PLACEHOLDER))) {
        snprintf(number, sizeof number, "%0*d", DIGITS, next_channel);
        next_channel = (next_channel + 1) % channels;
        memcpy(at + sizeof PLACEHOLDER - 1, number, DIGITS);
        at += sizeof PLACEHOLDER - 1;
    }
}

static int is_over(void) { return now() - began_at >= seconds || (wanted && sent >= wanted); }

static void call(Caller *one) {
    if (is_over()) return;
    number_channels();
    one->answer_bytes = 0;
    one->is_waiting = 1;
    one->sent_at = now();
    sent++;
    for (size_t done = 0; done < request_bytes;) {
        ssize_t written = send(one->fd, request + done, request_bytes - done, MSG_NOSIGNAL);
        if (written < 0) give_up("send");
        done += (size_t)written;
    }
}

/* Whether the answer is whole: the head, and as many bytes as it says. */
static int is_answered(Caller *one) {
    one->answer[one->answer_bytes] = 0;
    char *body = strstr(one->answer, "\r\n\r\n"), *length = strcasestr(one->answer, "content-length:");
    if (!body || !length || length > body) return 0;
    return one->answer_bytes >= body + 4 - one->answer + atoi(length + sizeof "content-length:" - 1);
}

static void open_caller(Caller *one) {
    int on = 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)(one - all)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    one->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (one->fd < 0 || connect(one->fd, (struct sockaddr *)&to, sizeof to)) give_up("connect");
    setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (epoll_ctl(queue, EPOLL_CTL_ADD, one->fd, &event)) give_up("epoll_ctl");
}

static void receive(Caller *one) {
    ssize_t got = recv(one->fd, one->answer + one->answer_bytes, sizeof one->answer - 1 - (size_t)one->answer_bytes, 0);
    if (got <= 0) give_up("the server closed a connection");
    one->answer_bytes += (int)got;
    if (!is_answered(one)) return;
    one->is_waiting = 0;
    if (good + bad < MAX_TIMES) times[good + bad] = (float)(now() - one->sent_at);
    if (!strncmp(one->answer, "HTTP/1.1 2", 10)) good++;
    else if (!bad++) fprintf(stderr, "callers: %.300s\n", one->answer);
    if (strcasestr(one->answer, "\r\nconnection: close")) {
        close(one->fd);
        open_caller(one);
    }
    call(one);
}

static int waiting(void) {
    int count = 0;
    for (int i = 0; i < callers; i++) count += all[i].is_waiting;
    return count;
}

static int by_value(const void *left, const void *right) {
    float a = *(const float *)left, b = *(const float *)right;
    return (a > b) - (a < b);
}

static void tell(double took) {
    int count = good + bad < MAX_TIMES ? good + bad : MAX_TIMES;
    qsort(times, (size_t)count, sizeof *times, by_value);
    double p50 = count ? times[count / 2] : 0, p99 = count ? times[(int)(0.99 * (count - 1))] : 0;
    printf("{\"good\": %d, \"bad\": %d, \"began_at\": %.6f, \"took_s\": %.4f, \"per_s\": %.0f, \"p50_ms\": %.3f, "
           "\"p99_ms\": %.3f, \"max_ms\": %.3f}\n", good, bad, began_at, took, took > 0 ? good / took : 0.0, p50 * 1e3,
           p99 * 1e3, count ? times[count - 1] * 1e3 : 0.0);
}

int main(int count, char **words) {
    struct epoll_event events[MAX_CALLERS];
    if (count != 7 || atoi(words[2]) < 1 || atoi(words[2]) > MAX_CALLERS) {
        fprintf(stderr, "usage: see the head of callers.c\n");
        return 2;
    }
    port = atoi(words[1]);
    callers = atoi(words[2]);
    seconds = atof(words[3]);
    wanted = atoi(words[4]);
    read_request(words[5]);
    channels = atoi(words[6]);
    all = calloc((size_t)callers, sizeof *all);
    times = malloc(MAX_TIMES * sizeof *times);
    if ((queue = epoll_create1(EPOLL_CLOEXEC)) < 0 || !all || !times) give_up("set-up");
    for (int i = 0; i < callers; i++) open_caller(&all[i]);
    began_at = now();
    for (int i = 0; i < callers; i++) call(&all[i]);
    while (waiting()) {
        int happened = epoll_wait(queue, events, MAX_CALLERS, 10000);
        if (happened <= 0) give_up("no answer within 10 s");
        for (int i = 0; i < happened; i++) receive(&all[events[i].data.u32]);
    }
    tell(now() - began_at);
    return 0;
}
