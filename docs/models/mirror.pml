// A mirror against calls that close and reopen a number that it holds, and its coming and going (promotion, demotion).
//
// Of code: fd_table (hold, note, the early look of close), ArrayMirror's watch, follow_closes, start_over, wait,
// gather, confirmation and check_found_by_kernel, and `lapsed` of wait_by_mirror. One thread polls one number, by its
// mirror or by the kernel's own poll as it pleases; another closes, opens and replaces the number, once perhaps by a
// call that the shim does not see. A file's event comes at any step, and stays until the program has taken it or not.
//
// What holds: what is reported is so at that moment; no wait of the mirror sleeps while the file that stood at the
// number when the wait began has an event, nor if the number was closed then; an event that was reported is reported
// again until it is taken or the number changes, if it was the kernel's own call that reported it. The second does not
// hold for what the shim has not seen, nor for a call that is not over when the wait begins; the third does.
//
// What is left out, and why that is sound:
// - The verification period, which ends each sleep and mends what was not seen: without it more goes wrong, not less.
// - Other numbers, positions and events of an array: each number is followed by itself.
// - kShared: it makes start_over() of what the comparison of tokens would find as well.
// - Descriptors that are asked directly (mirror/place.hpp): what is said of them is the kernel's word in the same wait. The
//   model's mirror has everything watched at once, also what follow_closes() has asked directly for a while.
// - Weak memory: the table's words are changed by locked instructions, with a system call in between.
// - More than one holder: a holder's count is the same to the closer whatever it is.
//
// BREAKS: WITHOUT_HOLDING_FIRST: the holder marks the number when it has registered it: a close in between is not noted
// BREAKS: WITHOUT_GENERATION_FIRST: the generation is read behind the registration, and is that of the next file
// BREAKS: WITHOUT_NOTE_AFTERWARDS: the closer notes before it closes: the holder registers the old file again
// BREAKS: WITHOUT_NOTE_OF_NEW: a number that comes back is not noted
// BREAKS: WITHOUT_COUNT_LAST: the count of changes moves before the generation
// BREAKS: WITHOUT_COUNT_FIRST: the holder takes over the count behind its look at the generation
// BREAKS: WITHOUT_CONFIRMATION: an event of a file that is no longer there is reported
// BREAKS: WITHOUT_LAPSE: the mirror answers after a call of the kernel's that knew more
// BREAKS: WITHOUT_CHECK: the mirror does not learn from the call that has verified it

#define WAITS 3
#define CHANGES 2
#define FILES 3                 /* 0: none */

mtype = { MIRROR, KERNEL, OTHER };

byte file = 1;                  /* at the number */
bit copied;                     /* file 1 has another number as well, and does not go when this one is closed */
bit ready[FILES + 1];

// The table.
bit near;
byte holders, generation, changes;

// The mirror's set: for each file whether it is registered under the number, and the token's generation.
bit registered[FILES + 1];
byte token[FILES + 1];

// What is true of the present wait, for the assertions alone.
bit changing;                   /* a call that changes the number is not over */
bit same;                       /* no change of the number is younger than the wait */
bit unseen;                     /* since this file, or its end, came to the number by a call that was not seen */
byte told;                      /* the file whose event the kernel's own call reported last, and nobody has taken */
bit asleep, over;

inline closes() {
  if
  :: file != 0 && (file != 1 || !copied) -> registered[file] = 0; token[file] = 0
  :: else
  fi
}

inline changed_hands(to) {
  if
  :: to != file -> closes()
  :: else
  fi;
  file = to;
  same = 0;
  told = 0
}

inline note() {
  if
  :: near ->
    if
    :: holders > 0 ->
#ifdef WITHOUT_COUNT_LAST
      changes++;
      generation++
#else
      generation++;
      changes++
#endif
    :: else
    fi
  :: else
  fi
}

proctype Closer() {
  byte left = CHANGES, next = 2;
  bit marked;
  do
  :: left > 0 ->
    atomic { left--; changing = 1 };
    if
    :: file != 0 ->                                     /* kev_close(): the early look */
      marked = near;
#ifdef WITHOUT_NOTE_AFTERWARDS
      if
      :: marked -> note()
      :: else
      fi;
#endif
      atomic { changed_hands(0); unseen = !marked };
#ifndef WITHOUT_NOTE_AFTERWARDS
      if
      :: marked -> note()
      :: else
      fi;
#endif
      marked = 0
    :: true ->                                          /* open(), dup2() */
      atomic {
        if
        :: changed_hands(next); next++
        :: copied && file != 1 -> changed_hands(1)
        fi;
        unseen = 0
      };
#ifndef WITHOUT_NOTE_OF_NEW
      note()
#else
      skip
#endif
    :: true -> atomic { changed_hands(next); next++; unseen = 1 }  /* dup2() by a bare system call */
    fi;
    changing = 0
  :: break
  od
}

proctype Events() {
  if
  :: ready[1] = 1
  :: true
  fi;
  if
  :: ready[2] = 1
  :: ready[3] = 1
  :: true
  fi
}

#define event_now (file == 0 || ready[file])
#define in_set(f) (registered[f] && ready[f])
#define set_has_event (in_set(1) || in_set(2) || in_set(3))

// epoll_ctl(ADD), and MOD if it is there. `failed` if the number is closed.
inline register(generation_known) {
  atomic {
    if
    :: file == 0 -> failed = 1
    :: else ->
      token[file] = generation_known;
      registered[file] = 1;
      failed = 0
    fi
  }
}

inline close_set() {
  atomic {
    registered[1] = 0; registered[2] = 0; registered[3] = 0;
    token[1] = 0; token[2] = 0; token[3] = 0
  }
}

// The kernel's own poll, which looks once here: that it sleeps on what it found is none of ours to check. The program
// takes the event, or leaves it for its next call.
inline own_poll() {
  atomic {
    told = (file != 0 && ready[file] -> file : 0);
    if
    :: told != 0 -> ready[file] = 0; told = 0
    :: true
    fi
  }
}

proctype Poller() {
  byte left = WAITS, seen, known, g;
  bit held, stale, lapsed, verify, failed, found;
  do
  :: left > 0 ->
    left--;
    if
    :: own_poll(); lapsed = 1                           /* left to the kernel for a while */
    :: true ->
      atomic { same = !changing; verify = 0 };

      // sync()
      if
      :: stale ->                                       /* start_over() */
        close_set();
        if
        :: held -> holders--; held = 0
        :: else
        fi;
        seen = changes;
        stale = 0
      :: !stale && changes != seen ->                          /* follow_closes() */
#ifndef WITHOUT_COUNT_FIRST
        seen = changes;
#endif
        if
        :: held && generation != known ->
          g = generation;
          register(g);
          if
          :: failed -> holders--; held = 0
          :: else -> known = g
          fi
        :: else
        fi;
#ifdef WITHOUT_COUNT_FIRST
        seen = changes
#else
        skip
#endif
      :: else
      fi;
      if
      :: !held ->                                       /* watch() */
#ifndef WITHOUT_HOLDING_FIRST
        near = 1;
        holders++;
#endif
#ifndef WITHOUT_GENERATION_FIRST
        g = generation;
#endif
        register(g);
#ifdef WITHOUT_GENERATION_FIRST
        g = generation;
        atomic {
          if
          :: file != 0 -> token[file] = g
          :: else
          fi
        };
#endif
#ifdef WITHOUT_HOLDING_FIRST
        near = 1;
        holders++;
#endif
        if
        :: failed -> holders--; own_poll(); goto next_wait
        :: else -> held = 1; known = g
        fi
      :: else
      fi;

      // wait()
#ifndef WITHOUT_LAPSE
      if
      :: lapsed -> verify = 1
      :: else
      fi;
#endif
      lapsed = 0;
      if
      :: own_poll();                                    /* verified; what it says is held against the mirror's set */
#ifndef WITHOUT_CHECK
        atomic {
          if
          :: told != 0 && !(registered[told] && token[told] == known) -> stale = 1
          :: else
          fi
        }
#else
        skip
#endif
      :: !verify ->
        atomic {
          asleep = 1;
          // The assertion is made where nothing else can happen any more, in init.
          set_has_event || over -> asleep = 0;
          if
          :: over -> goto ended
          :: else
          fi
        };
        // gather(): an event whose token is not the interest's is of a file that was here before.
        atomic {
          if
          :: (in_set(1) && token[1] == known) || (in_set(2) && token[2] == known) || (in_set(3) && token[3] == known) ->
            found = 1
          :: else -> stale = 1; found = 0
          fi
        };
        if
        :: found ->
          // The kernel confirms what was found; or the call is its own after all, and the mirror starts over.
          atomic {
            if
#ifdef WITHOUT_CONFIRMATION
            :: true -> assert(event_now)
#else
            :: event_now
            :: else -> stale = 1
#endif
            fi;
            told = 0;
            if
            :: file != 0 -> ready[file] = 0
            :: true
            fi
          }
        :: else -> own_poll()
        fi
      fi
    fi;
next_wait:
    skip
  :: else -> break
  od;
ended:
  skip
}

init {
  atomic {
    if
    :: copied = 1
    :: true
    fi;
    run Poller();
    run Closer();
    run Events()
  };
  atomic {
    timeout ->
    assert(!(asleep && told != 0));
    assert(!(asleep && same && !unseen && event_now));
    over = 1
  }
}
