/* What the C programs share: lines of output, digests and the end of a run, on a host and under an
 * emulator with semihosting. */
#ifndef REPORT_H
#define REPORT_H

#include <stddef.h>
#include <stdint.h>

#if defined(__arm__)

enum { SEMIHOSTING_WRITE = 0x04, SEMIHOSTING_EXIT = 0x18, EXIT_GOOD = 0x20026, EXIT_BAD = 0x20023 };

static void semihosting(int operation, const void *argument) {
  register int r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void print(const char *text) { semihosting(SEMIHOSTING_WRITE, text); }

static void finish(int is_good) {
  semihosting(SEMIHOSTING_EXIT, (const void *)(is_good ? EXIT_GOOD : EXIT_BAD));
  for (;;) {
  }
}

#else

#include <stdio.h>
#include <stdlib.h>

static void print(const char *text) { fputs(text, stdout); }

static void finish(int is_good) { exit(is_good ? EXIT_SUCCESS : EXIT_FAILURE); }

#endif

/* FNV-1a over the bytes of values, continued from `hash`. */
#define FNV_START 0xcbf29ce484222325u

static uint64_t fnv(uint64_t hash, const float *values, size_t count) {
  for (size_t i = 0; i < count; i++) {
    union {
      float value;
      uint32_t bits;
    } word = {values[i]};
    for (int byte = 0; byte < 4; byte++) {
      hash = (hash ^ ((word.bits >> (8 * byte)) & 0xffu)) * 0x100000001b3u;
    }
  }
  return hash;
}

#endif
