// libsecp256k1: ECDSA with keys that are recovered from signatures. Debian: libsecp256k1-dev.
#include <secp256k1.h>
#include <secp256k1_recovery.h>
