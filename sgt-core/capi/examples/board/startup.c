/* The least that a Cortex-M needs to reach main: vectors, data and zeros, the floating-point unit. */
#include <stdint.h>

extern uint32_t data_in_flash[], data_start[], data_end[], zeros_start[], zeros_end[], stack_top[];
int main(void);

void reset(void) {
#if defined(__ARM_FP)
  *(volatile uint32_t *)0xe000ed88u |= 0xfu << 20; /* CPACR: full access to the unit */
  __asm__ volatile("dsb\n\tisb");
#endif
  const uint32_t *from = data_in_flash;
  for (uint32_t *to = data_start; to < data_end; to++) {
    *to = *from++;
  }
  for (uint32_t *to = zeros_start; to < zeros_end; to++) {
    *to = 0;
  }
  main();
  for (;;) {
  }
}

void fault(void) {
  for (;;) {
  }
}

__attribute__((section(".vectors"), used)) static void *const VECTORS[] = {
    stack_top, (void *)reset, (void *)fault, (void *)fault,
};
