#ifndef OPENMMFLOW_CHECK_H_
#define OPENMMFLOW_CHECK_H_

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "OpenMMFlowCWrapper.h"

/** End the test, with the error that there is, unless a condition is true. */
#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            const char* error = OpenMMFlow_getLastError();                                                   \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, error ? error : "no error"); \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

/** Check that the latest error holds this text, and forget it. */
#define CHECK_ERROR(text)                                                                            \
    do {                                                                                             \
        CHECK(OpenMMFlow_getLastError() != NULL && strstr(OpenMMFlow_getLastError(), text) != NULL); \
        OpenMMFlow_clearLastError();                                                                 \
    } while (0)

#define CHECK_NO_ERROR() CHECK(OpenMMFlow_getLastError() == NULL)

#endif /*OPENMMFLOW_CHECK_H_*/
