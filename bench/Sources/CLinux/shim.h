// What the Glibc module of Swift leaves out: epoll(7), and the priority of a thread.
#pragma once
#include <sched.h>
#include <sys/epoll.h>
#include <time.h>

enum { quash_epoll_room = 256 };

static inline int quash_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

static inline int quash_epoll_add(int poller, int watched, unsigned long number) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data = {.u64 = number}};
    return epoll_ctl(poller, EPOLL_CTL_ADD, watched, &event);
}

// Writes at most quash_epoll_room numbers, and answers how many.
static inline int quash_epoll_wait(int poller, unsigned long *numbers, unsigned long nanoseconds) {
    struct epoll_event events[quash_epoll_room];
    struct timespec timeout = {
        .tv_sec = (time_t)(nanoseconds / 1000000000), .tv_nsec = (long)(nanoseconds % 1000000000)};
    int count = epoll_pwait2(poller, events, quash_epoll_room, &timeout, NULL);
    for (int index = 0; index < count; index++) numbers[index] = events[index].data.u64;
    return count;
}

// The priority of the calling thread: above everything else on its core, or as usual. What it starts meanwhile is as
// usual (SCHED_RESET_ON_FORK, sched(7)).
static inline int quash_priority(int is_first) {
    struct sched_param parameter = {.sched_priority = is_first ? 1 : 0};
    return sched_setscheduler(0, is_first ? SCHED_FIFO | 0x40000000 : SCHED_OTHER, &parameter);
}
