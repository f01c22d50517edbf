// hiredis: the protocol of Redis, written and read. Debian: libhiredis-dev.
#include <hiredis/hiredis.h>
