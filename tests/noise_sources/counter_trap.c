/* Emulates the CPU's counter as a hypervisor may: RDTSC and RDTSCP of this thread, and of those it makes, end in a handler
   that answers for them. Linux on x86-64 only. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <x86intrin.h>

enum { STEPS, STUCK, BACKWARDS };

static int mode;
static uint64_t step_ticks = 1, slow_ns, first_tick, first_ns;
static double ticks_per_ns;

static uint64_t now_ns(void) { /* by a system call: the vDSO reads the counter */
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t emulated(void) {
    uint64_t now = now_ns();
    uint64_t passed = (uint64_t)((double)(now - first_ns) * ticks_per_ns);
    while (slow_ns && now_ns() - now < slow_ns) {
    }
    if (mode == STUCK) return first_tick;
    if (mode == BACKWARDS) return first_tick - passed;
    return (first_tick + passed) / step_ticks * step_ticks;
}

static void answer(int number, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *code = (const unsigned char *)registers[REG_RIP];
    uint64_t ticks;
    (void)info;
    if (code[0] == 0x0f && code[1] == 0x31) {
        registers[REG_RIP] += 2;
    } else if (code[0] == 0x0f && code[1] == 0x01 && code[2] == 0xf9) {
        registers[REG_RIP] += 3;
        registers[REG_RCX] = 0;
    } else { /* a fault of its own */
        signal(number, SIG_DFL);
        return;
    }
    ticks = emulated();
    registers[REG_RAX] = (greg_t)(ticks & 0xffffffffu);
    registers[REG_RDX] = (greg_t)(ticks >> 32);
}

/* Trap the counter from now on: it moves by step_ns at a time, and each read takes slow_ns more. 0 if that worked. */
int trap_counter(int mode_, double step_ns, double slow_ns_) {
    struct sigaction action;
    uint64_t begin = now_ns(), tick = __rdtsc();
    while (now_ns() - begin < 20000000) {
    }
    first_ns = now_ns();
    first_tick = __rdtsc();
    ticks_per_ns = (double)(first_tick - tick) / (double)(first_ns - begin);
    mode = mode_;
    slow_ns = (uint64_t)slow_ns_;
    step_ticks = (uint64_t)(step_ns * ticks_per_ns);
    if (!step_ticks) step_ticks = 1;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = answer;
    action.sa_flags = SA_SIGINFO;
    if (sigaction(SIGSEGV, &action, 0)) return 1;
    return prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0);
}
