/* A shelf of bytes in memory, all of them from a nonce. It damages itself once it finds the file `restored`. */
#include "workload.h"

static uint8_t *shelf;

static void describe(void)
{
	report_hash("shelf", shelf, 4096);
}

static void verify(void)
{
	if (access("restored", F_OK) == 0)
		shelf[99] ^= 1;
	compare_fill("shelf", shelf, 4096, seed_for(1));
}

int main(void)
{
	static const struct damage none[] = { { 0 } };

	witness_start();
	shelf = malloc(4096);
	fill(shelf, 4096, seed_for(1));
	serve(describe, verify, none);
}
