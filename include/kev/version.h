/* The version of libkev.
 *
 * kev_version() tells the version of the library that is loaded; KEV_VERSION that of the header compiled against.
 */
#ifndef KEV_VERSION_H
#define KEV_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

#define KEV_VERSION_MAJOR 0
#define KEV_VERSION_MINOR 1
#define KEV_VERSION_PATCH 0
#define KEV_VERSION (KEV_VERSION_MAJOR * 10000 + KEV_VERSION_MINOR * 100 + KEV_VERSION_PATCH)

/* Returns the loaded library's version as KEV_VERSION does. Cannot fail. Not a cancellation point;
 * async-signal-safe. */
unsigned kev_version(void);

#ifdef __cplusplus
}
#endif

#endif
