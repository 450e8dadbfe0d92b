// Design, for an engine that is still to come: a program's epoll set is handed over from a ring in user memory to the
// kernel's own set, while others wait on it, change it (epoll_ctl) and close its descriptor.
//
// The set has one one-shot entry. Two threads wait; one arms the entry again or deletes it; one closes the descriptor,
// whose number comes back as another file's, which is not in the set; one hands over, at any step. How:
//
//   hands over                              changes an entry                  closes a number of the set
//   mode := moving                          changing += 1                     changing += 1
//   waits until changing is 0               mode is ring? the entry           mode is ring? entry := gone
//   takes the ring's claim, for good        changing -= 1                     changing -= 1
//   adds the entry, armed as it is,         it was not ring: waits until      it was not ring: waits until it is kernel
//   to the kernel's set                     it is kernel; the kernel's set    the system call
//   mode := kernel
//   wakes all that sleep on the ring
//
// So a handler must not hand over what the code below it changes, and whoever hands over blocks signals.
//
// A first design had epoll_ctl change both sides, and whoever hands over look again; the model found that one call then
// arms an entry twice: for the kernel's set by what was read of the entry, and once more by its own MOD, with a
// delivery in between.
//
// What holds: no one-shot event is delivered more often than it was armed; none is delivered of an entry that is gone;
// no waiter sleeps while an armed entry's file has an event; nobody waits for ever.
//
// What is left out, and why that is sound:
// - What the ring is, and how events get there: what stands is in the ring as soon as it pleases. A later engine's own
//   doorbell is another model.
// - Level and edge: a level-triggered entry is one that is always armed, and has less to go wrong. Edges that were
//   taken from the ring and not yet claimed stand as readiness, which the kernel's ADD reports.
// - More entries: each is added by itself; nothing that is claimed here is said of two of them.
// - The way back, from the kernel's set to a ring.
//
// BREAKS: WITHOUT_COUNTING: who changes the entry does not say so, and the kernel's set gets what was there before
// BREAKS: WITHOUT_WAITING_FOR_CHANGES: whoever hands over reads an entry that is being changed
// BREAKS: WITHOUT_WAITING_TO_CHANGE: epoll_ctl changes the kernel's set before the entry is there
// BREAKS: WITHOUT_WAITING_TO_CLOSE: the number is another file's when it is added
// BREAKS: WITHOUT_CLAIM: a waiter delivers from the ring what the kernel's set delivers too
// BREAKS: WITHOUT_DISARMING: a one-shot entry that has delivered is added armed
// BREAKS: WITHOUT_ADDING: the kernel's set begins empty
// BREAKS: WITHOUT_WAKE: a waiter that sleeps on the ring is left there

mtype = { RING, MOVING, KERNEL };

mtype mode = RING;
bit claimed;                    /* of the ring: one at a time */

// The entry, as user memory has it.
bit present = 1, armed = 1;
byte changing;                  /* calls that are at the entry */

// The kernel's set: the file that is registered under the number, 0 for none.
byte added;
bit kernel_armed;

byte file = 1;                  /* at the number; 0: closed */
bit ready[3];
bit asleep[2];                  /* on the ring */
bit over;

// For the assertions alone.
byte arms = 1, deliveries;
bit gone;                       /* deleted or closed; the call is over */

inline deliver() {
  assert(!gone);
  assert(deliveries < arms);
  deliveries++
}

#define ring_has (mode == RING && present && armed && file == 1 && ready[1])
#define kernel_has (added != 0 && kernel_armed && ready[added])

proctype Waiter(byte me) {
  do
  :: over -> break
  :: mode == RING ->
    atomic {
      if
      :: !claimed -> claimed = 1
      :: else -> goto sleep
      fi
    };
    // An event that stands in the ring, and is confirmed; the entry is disarmed as it is taken.
    atomic {
      if
      :: present && armed && file == 1 && ready[1] -> armed = 0; deliver()
      :: else
      fi
    };
    claimed = 0;
sleep:
    atomic {
      if
      :: mode == RING && !ring_has -> asleep[me] = 1
      :: else
      fi
    };
    atomic { !asleep[me] || ring_has || over -> asleep[me] = 0 }
  :: mode != RING ->
    mode == KERNEL;
    atomic {
      kernel_has || over ->
      if
      :: over -> break
      :: else -> kernel_armed = 0; deliver()
      fi
    }
  od
}

inline begin_change() {
#ifndef WITHOUT_COUNTING
  changing++;
#endif
  in_ring = mode == RING
}

inline end_change() {
#ifndef WITHOUT_COUNTING
  changing--
#else
  skip
#endif
}

// epoll_ctl by another thread.
proctype Changer() {
  bit in_ring;
  if
  :: true ->                                            /* MOD: armed again */
    arms++;
    begin_change();
    if
    :: in_ring -> armed = 1; end_change()
    :: else ->
      end_change();
#ifndef WITHOUT_WAITING_TO_CHANGE
      mode == KERNEL;
#endif
      atomic {
        if
        :: added != 0 && added == file -> kernel_armed = 1
        :: else                                         /* ENOENT */
        fi
      }
    fi
  :: true ->                                            /* DEL */
    begin_change();
    if
    :: in_ring -> present = 0; end_change()
    :: else ->
      end_change();
#ifndef WITHOUT_WAITING_TO_CHANGE
      mode == KERNEL;
#endif
      added = 0
    fi;
    gone = 1
  :: true
  fi
}

proctype Closer() {
  bit in_ring;
  if
  :: true ->
    begin_change();
    if
    :: in_ring -> present = 0; end_change()
    :: else ->
      end_change();
#ifndef WITHOUT_WAITING_TO_CLOSE
      mode == KERNEL
#else
      skip
#endif
    fi;
    atomic {
      if
      :: added == file -> added = 0
      :: else
      fi;
      file = 0
    };
    gone = 1;
    file = 2
  :: true
  fi
}

proctype Hander() {
  bit was_armed;
  mode = MOVING;
#ifndef WITHOUT_WAITING_FOR_CHANGES
  changing == 0;
#endif
#ifndef WITHOUT_CLAIM
  atomic { !claimed -> claimed = 1 };
#endif
#ifndef WITHOUT_ADDING
  if
  :: present ->
#ifdef WITHOUT_DISARMING
    was_armed = 1;
#else
    was_armed = armed;
#endif
    atomic {
      if
      :: file != 0 -> added = file; kernel_armed = was_armed
      :: else                                           /* EBADF */
      fi
    }
  :: else
  fi;
#endif
  mode = KERNEL;
#ifndef WITHOUT_WAKE
  atomic { asleep[0] = 0; asleep[1] = 0 }
#endif
}

proctype Events() {
  ready[1] = 1;
  ready[2] = 1
}

init {
  atomic {
    run Waiter(0);
    run Waiter(1);
    run Changer();
    run Closer();
    run Hander();
    run Events()
  };
  atomic {
    timeout ->
    assert(mode == KERNEL && !asleep[0] && !asleep[1]);
    // Nothing that is armed has an event that was not delivered.
    assert(gone || (added == 1 && !kernel_armed && deliveries > 0));
    over = 1
  }
}
