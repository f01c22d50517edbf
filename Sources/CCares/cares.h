// c-ares: DNS look-ups that do not block. Debian: libc-ares-dev.
#include <ares.h>
