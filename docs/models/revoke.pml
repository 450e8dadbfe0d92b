// A thread's record: its owner, who enters and leaves it, and revokers (libkev/mirror/thread_record.hpp, registry.cpp).
//
// Of code: enter(), leave(), try_revoke(), take(), the thread's end with take_over(), the sleeping of the engine
// (wait/sleeper.hpp) and its wake(). The owner makes two waits, interrupted once, at any step, by a handler that waits as
// well or leaves the sleep by siglongjmp, and ends, after a jump late; two revokers want its descriptors. A wait opens the
// mirror if it is not open and if nobody has revoked (`paused`), sleeps until its event or a wake-up comes, and is left.
//
// What holds: a mirror is touched by one at a time; a revoker that was told that all is given back is right; one that
// gave up finds its wish fulfilled when the owner leaves; the owner does not sleep on while somebody wants its record;
// nobody waits for ever for the record, also if its owner was jumped out of its sleep.
//
// What is left out, and why that is sound:
// - Time. A revoker that is patient tries until it has the record; the others give up after any try.
// - The verification period, which ends each sleep: without it a wake-up that is lost shows.
// - The thread's waits after a jump: what they do to the record is what a revoker does to a sleeper's, and the thread's
//   next one is as new.
// - siglongjmp out of a revoker: it blocks signals.
// - Weak memory: what is handed over by `state` is handed over by an acquire and a release of that word; `revoke` is
//   set before the word is looked at again.
//
// BREAKS: WITHOUT_REVOKING: a revoker closes an idle record's mirror without taking the record first
// BREAKS: WITHOUT_LOOK_ON_LEAVING: the owner leaves without a look at whether it was asked to give up
// BREAKS: WITHOUT_ASKING: a revoker that meets a busy record only wakes it
// BREAKS: WITHOUT_WAKE: a revoker asks, or takes, and does not wake the sleeper
// BREAKS: WITHOUT_TAKING_OVER: a thread that ends does not wait for a revoker
// BREAKS: WITHOUT_TAKING: a revoker only wakes whoever is asleep
// BREAKS: WITHOUT_CLAIMING: a revoker takes from a sleeper without moving the word first
// BREAKS: WITHOUT_WAITING: an owner that wakes up does not wait until whoever takes is done
// BREAKS: WITHOUT_NESTING: a handler enters the record that the code below holds

#define WAITS 2
#define REVOKERS 2

mtype = { FREE, IDLE, BUSY, ASLEEP, TAKING, TAKEN, REVOKING };

mtype state = IDLE;
bit to_revoke;                   /* the owner is asked to give up */
bit paused;                     /* no mirror is made again */
bit open;                       /* the mirror has descriptors */
bit woken;                      /* the engine's wake-up, present or next */
bit event;
byte users;                     /* who touches the mirror, for the assertion alone */
bit asleep, handler_runs, handler_came;
bit jumped;                     /* a handler has left the sleep, for ever */
bit patient;
byte wanting;                   /* revokers that have not been told yet */
bit given_back;                 /* a revoker was told that all is given back */
bit asked_for;                  /* one has asked the owner, for the assertion alone */

inline touch() { users++; assert(users == 1) }
inline leave_alone() { users-- }

inline close_all() {
  touch();
  open = 0; woken = 0;
  leave_alone()
}

// From a record that is asleep.
inline take() {
  touch();
#ifndef WITHOUT_WAKE
  woken = 1;
#endif
  open = 0;
  leave_alone();
  to_revoke = 1
}

// One wait, of the thread or of a handler on top of it.
inline wait() {
  atomic {
    if
    :: state == IDLE -> state = BUSY; entered = 1
#ifdef WITHOUT_NESTING
    :: state == BUSY -> entered = 1
#endif
    :: else -> entered = 0                              /* revoking, or nested: the kernel answers */
    fi
  };
  if
  :: entered ->
    if
    :: !open && !paused -> touch(); open = 1; leave_alone()
    :: else
    fi;
    if
    :: open ->
      touch();                                          /* what comes before the sleep */
      leave_alone();
      atomic { state = ASLEEP; asleep = 1 };
      if
      :: atomic { jumped -> asleep = 0; goto gone }
      :: atomic { !jumped && (event || woken) -> asleep = 0; woken = 0 }
      fi;
      // wakes_up()
#ifdef WITHOUT_WAITING
      atomic {
        if
        :: state == ASLEEP -> state = BUSY
        :: else
        fi
      };
      touch(); leave_alone()
#else
      if
      :: atomic { state == ASLEEP -> state = BUSY };
         touch(); leave_alone()                         /* what comes behind it */
      :: state == TAKEN
      fi
#endif
    :: else
    fi;
    // leave()
    was_asked = asked_for;
#ifndef WITHOUT_LOOK_ON_LEAVING
    atomic { asked = to_revoke; to_revoke = 0 };
    if
    :: asked -> close_all()
    :: else
    fi;
#endif
    assert(!(was_asked && open));
    state = IDLE
  :: else
  fi;
gone:
  entered = 0;
  asked = 0;
  was_asked = 0
}

// A handler runs on top of it.
proctype Owner() provided (!handler_runs) {
  byte left = WAITS;
  bit entered, asked, was_asked;
  do
  :: left > 0 && !jumped -> left--; wait()
  :: else -> break
  od;
  !jumped || event;
  // The thread ends, and nothing of it can be inside any more.
  handler_came = 1;
#ifdef WITHOUT_TAKING_OVER
  state = BUSY;
#else
  atomic { state != REVOKING && state != TAKING -> state = BUSY };
#endif
  close_all();
  to_revoke = 0;
  state = FREE
}

proctype Handler() {
  bit entered, asked, was_asked;
  atomic {
    if
    :: !handler_came -> handler_came = 1; handler_runs = 1
    :: handler_came -> goto not_now
    fi
  };
  if
  :: wait()
  :: atomic { asleep -> jumped = 1 }
  fi;
  handler_runs = 0;
not_now:
  skip
}

#ifdef WITHOUT_WAKE
#define try_again (state != BUSY && state != ASLEEP)
#else
#define try_again ((state != BUSY && state != ASLEEP) || (open && !woken))
#endif

proctype Revoker() {
  mtype met;
  paused = 1;
  wanting++;
  do
  ::
    atomic {
      met = state;
      if
#ifndef WITHOUT_REVOKING
      :: met == IDLE -> state = REVOKING
#endif
      :: else
      fi
    };
    if
    :: met == IDLE -> close_all();
#ifndef WITHOUT_REVOKING
      state = IDLE;
#endif
      given_back = 1;
      break
    :: met == FREE || met == TAKEN -> given_back = 1; break
    :: met == REVOKING -> state != REVOKING || !patient
    :: met == TAKING -> state != TAKING || !patient
    :: met == BUSY || met == ASLEEP ->
#ifndef WITHOUT_ASKING
      to_revoke = 1;
#endif
      asked_for = 1;
#ifndef WITHOUT_WAKE
      atomic {
        if
        :: open -> woken = 1
        :: else
        fi
      };
#endif
      if
      :: !patient -> break
      :: try_again
#ifndef WITHOUT_TAKING
#ifdef WITHOUT_CLAIMING
      :: state == ASLEEP -> take(); state = TAKEN; given_back = 1; break
#else
      :: atomic { state == ASLEEP -> state = TAKING }; take(); state = TAKEN; given_back = 1; break
#endif
#endif
      fi
    fi
  od;
  wanting--
}

init {
  atomic {
    if
    :: patient = 1
    :: true
    fi;
    run Owner();
    run Handler();
    run Revoker();
    run Revoker()
  };
  if
  :: event = 1
  :: true
  fi;
  atomic {
    timeout ->
    assert(wanting == 0);
    assert(state == FREE || asleep || jumped);
    assert(!(state == TAKEN && asleep) || jumped);
    assert(!given_back || !open);
    event = 1                                           /* at last: whatever slept goes on, and comes to its end */
  }
}
