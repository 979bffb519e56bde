/* sync.h -- locks and atomic counters under one name everywhere: POSIX threads or Win32, C11
 * atomics or MSVC's.
 *
 * All atomic operations are sequentially consistent: every thread sees them in one common order. On
 * x86 and arm64 that costs something on stores only, and parallel.c needs it there: "I write mine,
 * then I read yours", in two threads. fnn_swap and fnn_fetch_add return the old value.
 *
 * An fnn_flag is a small number on its own: whoever reads it learns nothing about what else was
 * written. Reading costs what reading an int costs.
 */
#ifndef FNN_SYNC_H
#define FNN_SYNC_H

#include <stdint.h>

#if defined(_WIN32)
#  ifndef WIN32_LEAN_AND_MEAN
#    define WIN32_LEAN_AND_MEAN
#  endif
#  include <windows.h>
typedef SRWLOCK fnn_mutex;
typedef CONDITION_VARIABLE fnn_cond;
#  define FNN_MUTEX_INIT SRWLOCK_INIT
#  define FNN_COND_INIT CONDITION_VARIABLE_INIT
static inline void fnn_lock(fnn_mutex *m) { AcquireSRWLockExclusive(m); }
static inline void fnn_unlock(fnn_mutex *m) { ReleaseSRWLockExclusive(m); }
static inline void fnn_wait(fnn_cond *c, fnn_mutex *m) { SleepConditionVariableSRW(c, m, INFINITE, 0); }
static inline void fnn_signal(fnn_cond *c) { WakeConditionVariable(c); }
static inline void fnn_signal_all(fnn_cond *c) { WakeAllConditionVariable(c); }
#else
#  include <pthread.h>
typedef pthread_mutex_t fnn_mutex;
typedef pthread_cond_t fnn_cond;
#  define FNN_MUTEX_INIT PTHREAD_MUTEX_INITIALIZER
#  define FNN_COND_INIT PTHREAD_COND_INITIALIZER
static inline void fnn_lock(fnn_mutex *m) { pthread_mutex_lock(m); }
static inline void fnn_unlock(fnn_mutex *m) { pthread_mutex_unlock(m); }
static inline void fnn_wait(fnn_cond *c, fnn_mutex *m) { pthread_cond_wait(c, m); }
static inline void fnn_signal(fnn_cond *c) { pthread_cond_signal(c); }
static inline void fnn_signal_all(fnn_cond *c) { pthread_cond_broadcast(c); }
#endif

#if defined(_MSC_VER) && !defined(__clang__)
typedef volatile LONG64 fnn_atomic;
static inline int64_t fnn_get(const fnn_atomic *a) { return ReadAcquire64(a); }
static inline void fnn_set(fnn_atomic *a, int64_t v) { InterlockedExchange64(a, v); }
static inline int64_t fnn_swap(fnn_atomic *a, int64_t v) { return InterlockedExchange64(a, v); }
static inline int64_t fnn_fetch_add(fnn_atomic *a, int64_t v) { return InterlockedExchangeAdd64(a, v); }
typedef volatile LONG fnn_flag;
static inline int fnn_flag_get(const fnn_flag *a) { return (int)ReadNoFence(a); }
static inline void fnn_flag_set(fnn_flag *a, int v) { WriteNoFence(a, v); }
#else
#  include <stdatomic.h>
typedef _Atomic int64_t fnn_atomic;
static inline int64_t fnn_get(const fnn_atomic *a) { return atomic_load((fnn_atomic *)a); }
static inline void fnn_set(fnn_atomic *a, int64_t v) { atomic_store(a, v); }
static inline int64_t fnn_swap(fnn_atomic *a, int64_t v) { return atomic_exchange(a, v); }
static inline int64_t fnn_fetch_add(fnn_atomic *a, int64_t v) { return atomic_fetch_add(a, v); }
typedef atomic_int fnn_flag;
static inline int fnn_flag_get(const fnn_flag *a) { return atomic_load_explicit((fnn_flag *)a, memory_order_relaxed); }
static inline void fnn_flag_set(fnn_flag *a, int v) { atomic_store_explicit(a, v, memory_order_relaxed); }
#endif

#endif
