/* cmocka wants these before it; every unit test wants cmocka. */
#ifndef VG_TESTS_UNIT_TEST_CMOCKA_H
#define VG_TESTS_UNIT_TEST_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
