//go:build cgo

package neural

/*
#include <malloc.h>

// Where the C library is GNU's, memory that XLA gives back stays with the process, up to 256 MB, instead of going to the system and coming back as pages to be cleared: by
// default every step's results of more than 128 kB do.
static void keep(void) {
#ifdef __GLIBC__
	if (!mallopt(M_MMAP_THRESHOLD, 256 << 20))
		mallopt(M_MMAP_THRESHOLD, 32 << 20); // the most that older versions take
	mallopt(M_TRIM_THRESHOLD, 256 << 20);
#endif
}
*/
import "C"

// keepMemory is worth a tenth of the time of a small network's step on XLA.
func keepMemory() { C.keep() }
