// The C library's settings of its own memory, which Swift's module of it leaves out.
#include <malloc.h>
