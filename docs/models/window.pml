// The window of a cancellation point, its canceller, and handlers on top (libkev/cancel, arch/*/syscall_cp.S).
//
// Of code: the stub, settle() and its bounded wait, the table's word of a canceller at work, cancel_other(), the
// signal's handler with redirection and raising again, state_changed(). One target thread runs any three of: a call by
// the stub, a bare system call, a change of its cancellation state. A signal of the program interrupts it at any step,
// once, and its handler runs any two of the same; the thread is cancelled once, at any step.
//
// What holds: a thread never sleeps in a call of the stub with a request and cancellation enabled; a call that has done
// its work returns its result; a thread that has disabled cancellation is never interrupted by a canceller's signal in
// any call, nor is one outside the stub, as long as it was never made to wait for longer than it has patience.
//
// What is left out, and why that is sound:
// - Weak memory. The one place where it matters is a thread's own look behind its own store of `inside`: that store is
//   seen by others when the thread pleases, or the barrier comes. All else that two threads meet in is seq_cst.
// - More handlers. Two of them, one on top of the other as well, were searched by hand (9.8 million states), as long as
//   those that interrupt pthread_setcancelstate() do not call it: two that do, one after the other in the same call,
//   can leave the record with the first one's state. One that interrupts a change of the state leaves it as it was.
// - More cancellers. The first to come takes `told`; the others mark the thread and are gone.
// - Time. A wait that is bounded may end at any moment; what is never given up is a choice made once (`patient`).
// - The queue. A signal is always sent; what EAGAIN does stands in canceller.cpp.
// - siglongjmp out of a call, and vfork and fork: tests only. A handler's own call may end the thread on top of one
//   that has its result; so it may without the shim.
// - Calls for the core (kReturn): they leave by the same path, and look again in their caller.
//
// BREAKS: WITHOUT_BARRIER: the canceller does not see that the thread is in the stub, which did not see the request
// BREAKS: WITHOUT_LOOK: the stub does not look for requests before its call
// BREAKS: WITHOUT_REDIRECTION: the signal's handler leaves a thread in the window where it was
// BREAKS: WITHOUT_WINDOW_END: the handler sends a call that has its result to the cancel path
// BREAKS: WITHOUT_RAISING_AGAIN: the handler does nothing on top of another handler
// BREAKS: WITHOUT_LOOK_BELOW: a handler's call has had the signal, and the call below is not told
// BREAKS: WITHOUT_LOOK_ON_ENABLING: a handler enables cancellation, and the call below is not told
// BREAKS: WITHOUT_WAITING: a thread leaves the stub while its canceller is at work
// BREAKS: WITHOUT_DELIVERY: a thread leaves the stub before the signal has arrived
// BREAKS: WITHOUT_SAYING_SO: a thread gives up and does not say so
// BREAKS: WITHOUT_LAST_LOOK: the canceller ends its work without a last look at whether it was given up
// BREAKS: WITHOUT_HOLDING: a thread that disables cancellation leaves standing what it has said
// BREAKS: WITHOUT_LETTING_GO: a thread that enables it again does not take its word back
// BREAKS: WITHOUT_ENABLING_FIRST: a handler that interrupts the change is enabled for libc, and not for the canceller
// BREAKS: WITHOUT_NEW_REQUEST: a handler enables cancellation while the thread below is on its way back into the stub
// BREAKS: WITHOUT_COMMITMENT: the canceller signals without having said so: the thread's word comes in between
// BREAKS: WITHOUT_DELIVERY_ON_DISABLING: a thread disables cancellation while a signal is underway, and does not wait
// BREAKS: WITHOUT_TRUST: a handler raises the signal while the canceller that it has given up is to send its own

#define LEVELS 3                /* the thread, and on top a handler and the signal's handler in either order */
#define CALLS 3                 /* of the thread */
#define HANDLER_CALLS 2

mtype = { THREAD, USER, SIGNAL };
mtype = { IDLE, BARE, ENTER, BEGIN, CALL, KERNEL, END, CHECK, REDIRECT, RETURNED, ACT,
          SETTLE, WAIT, DELIVERY, DISABLE_1, DISABLE_2, DISABLE_3, DISABLE_4, DISABLE_5, ENABLE_1, ENABLE_2, ENABLE_3,
          ENABLE_4, ENABLE_5, ENABLE_6, ENABLE_7, ON_SIGNAL_1, ON_SIGNAL_2 };

// The thread's record, and what it says to the canceller in the table.
byte requests, settled, arrived;
byte inside, inside_seen;       /* as the thread sees it, and as others do */
bit unread = 1;                 /* the canceller has not looked at it */
bit disabled, raised;
bit at_work, given_up, held, signalling;  /* one word */

// libc's, the kernel's, and the program's view.
bit libc_disabled, marked, stands;
bit external, own;              /* signals underway */
bit in_kernel;                  /* the thread is on its way out of it */
bit user_signal, in_change, state_before;
bit program_disabled;
byte events;                    /* what there is for calls to take */
bit patient;
bit ended;

// The frames of the target; the uppermost runs.
byte top;
mtype kind[LEVELS], at[LEVELS], then[LEVELS];
byte saved[LEVELS], seen[LEVELS], looked[LEVELS], left[LEVELS];
bit blocked[LEVELS], done[LEVELS], interrupted[LEVELS], is_own[LEVELS];

#define AT at[top]
#define deliverable ((external || own) && !blocked[top])
// What is deliverable as the thread leaves the kernel comes before its next step; later ones come when they please.
#define STEP_IF(where, when) \
  atomic { !ended && at[top] == where && (when) && !(in_kernel && deliverable) -> in_kernel = 0;
#define STEP(where) STEP_IF(where, true)
#define outside (at[0] == IDLE || at[0] == BARE || at[0] == DISABLE_1)

// A thread that leaves its canceller at work has told it, and need not raise the signal by itself: it would block the
// canceller's in the handler, or come before there is a handler for it.
#ifdef WITHOUT_TRUST
#define signal_will_come false
#else
#define signal_will_come (given_up && !signalling)
#endif

// Where the signal finds the call not made yet, or waiting; and the rest of the stub.
#ifdef WITHOUT_WINDOW_END
#define in_window(where) (where == BEGIN || where == CALL || where == END)
#else
#define in_window(where) (where == BEGIN || where == CALL)
#endif
#define in_stub(where) (where == ENTER || where == END || where == CHECK || where == REDIRECT)

inline publish_stores() { inside_seen = (unread -> inside : 0) }

inline push(role, where) {
  top++;
  kind[top] = role;
  at[top] = where
}

inline pop() {
  kind[top] = 0; at[top] = 0; then[top] = 0; saved[top] = 0; seen[top] = 0; looked[top] = 0; left[top] = 0;
  blocked[top] = 0; done[top] = 0; interrupted[top] = 0; is_own[top] = 0;
  top--;
  in_kernel = 1                 /* sigreturn */
}

inline end_of_call() {
  done[top] = 0; interrupted[top] = 0; seen[top] = 0; saved[top] = 0; looked[top] = 0;
  AT = IDLE
}

inline raise() {
  publish_stores();
  in_kernel = 1;
  if
  :: !raised -> raised = 1; own = 1
  :: else
  fi
}

inline let_go() {
#ifndef WITHOUT_LETTING_GO
  held = 0
#else
  skip
#endif
}

// A handler is about to run: the kernel makes the call again later, or lets it fail with EINTR.
inline leave_kernel() {
  if
  :: AT == KERNEL -> AT = CALL
  :: AT == KERNEL -> AT = END; interrupted[top] = 1
  :: else
  fi
}

proctype Target() {
end_blocked:
  do
  :: atomic { unread && inside_seen != inside -> inside_seen = inside }
  :: atomic { in_kernel && !deliverable -> in_kernel = 0 }

  // Signals.
  :: atomic { user_signal && !ended && top < LEVELS - 1 ->
      user_signal = 0;
      state_before = libc_disabled;
      in_change = (at[0] >= ENABLE_7 && at[0] <= DISABLE_1) || then[0] == ENABLE_7;
      leave_kernel();
      push(USER, IDLE);
      blocked[top] = blocked[top - 1];
      left[top] = HANDLER_CALLS
    }
  :: atomic { deliverable && !ended ->
      assert(stands);
      if
      :: external ->
        assert(!(program_disabled && (AT == KERNEL || AT == BARE)));
        assert(!(patient && outside && AT == BARE));
        leave_kernel();
        push(SIGNAL, ON_SIGNAL_1);
        external = 0
      :: own ->
        leave_kernel();
        push(SIGNAL, ON_SIGNAL_1);
        is_own[top] = 1;
        own = 0
      fi;
      blocked[top] = 1
    }
  :: STEP(ON_SIGNAL_1)
      if
      :: is_own[top] -> raised = 0
      :: else
      fi;
      requests++;
      looked[top] = requests;
      publish_stores();
      AT = ON_SIGNAL_2
    }
  :: STEP(ON_SIGNAL_2)
      arrived = looked[top];
      if
      :: in_window(at[top - 1]) ->
#ifndef WITHOUT_REDIRECTION
        at[top - 1] = REDIRECT
#else
        skip
#endif
      :: !in_window(at[top - 1]) && in_stub(at[top - 1])
      :: else ->
#ifndef WITHOUT_RAISING_AGAIN
        if
        :: inside != 0 -> blocked[top - 1] = 1; raise()
        :: else
        fi
#else
        skip
#endif
      fi;
      pop()
    }

  // The program.
  :: STEP(IDLE)
      if
      :: left[top] > 0 -> left[top]--; AT = ENTER
      :: left[top] > 0 -> left[top]--; AT = BARE
      :: left[top] > 0 && !libc_disabled -> left[top]--; AT = DISABLE_1
      :: left[top] > 0 && libc_disabled -> left[top]--; AT = ENABLE_1
      :: left[top] == 0 && kind[top] == USER && (!in_change || libc_disabled == state_before) -> pop()
      :: left[top] == 0 && kind[top] == USER && in_change && libc_disabled && !state_before -> AT = ENABLE_1
      :: left[top] == 0 && kind[top] == USER && in_change && !libc_disabled && state_before -> AT = DISABLE_1
      :: left[top] == 0 && kind[top] == THREAD -> ended = 1
      fi
    }
  :: STEP(BARE) AT = IDLE }

  // The stub.
  :: STEP(ENTER) saved[top] = inside; inside = top + 1; AT = BEGIN }
  :: STEP(BEGIN)
      if
#ifndef WITHOUT_LOOK
      :: requests != seen[top] -> AT = REDIRECT
#endif
      :: else -> AT = CALL
      fi
    }
  :: STEP(CALL) AT = KERNEL }
  :: STEP_IF(KERNEL, events > 0) events--; done[top] = 1; AT = END }
  :: STEP(END) inside = saved[top]; AT = CHECK }
  :: STEP(CHECK)
      if
      :: requests == 0 -> end_of_call()
      :: else -> then[top] = RETURNED; AT = SETTLE
      fi
    }
  :: STEP(REDIRECT) inside = saved[top]; then[top] = ACT; AT = SETTLE }

  // stub.cpp: kev_cp_cancelled() and kev_cp_returned() behind settle().
  :: STEP(ACT)
      assert(!done[top]);
      if
      :: marked && !libc_disabled -> ended = 1
      :: else -> seen[top] = looked[top]; looked[top] = 0; AT = ENTER
      fi
    }
  :: STEP(RETURNED)
      if
      :: interrupted[top] && marked && !libc_disabled -> assert(!done[top]); ended = 1
      :: else ->
        end_of_call();
#ifndef WITHOUT_LOOK_BELOW
        if
        :: !disabled && inside != 0 && !signal_will_come -> raise()
        :: else
        fi
#endif
      fi
    }

  // settle()
  :: STEP(SETTLE)
      looked[top] = requests;
      if
      :: looked[top] == settled || looked[top] == arrived -> settled = looked[top]; AT = then[top]; then[top] = 0
      :: else -> AT = WAIT
      fi
    }
#ifdef WITHOUT_WAITING
  :: STEP(WAIT) AT = DELIVERY }
#else
  :: STEP_IF(WAIT, !at_work) AT = DELIVERY }
#endif
  :: STEP_IF(WAIT, at_work && !signalling && !patient)
#ifndef WITHOUT_SAYING_SO
      publish_stores();
      given_up = 1;
      held = disabled;
#endif
      AT = DELIVERY
    }
#ifdef WITHOUT_DELIVERY
  :: STEP(DELIVERY)
#else
  :: STEP_IF(DELIVERY, !deliverable)
#endif
      settled = looked[top]; AT = then[top]; then[top] = 0
    }

  // pthread_setcancelstate() and state_changed().
  :: STEP(DISABLE_1) libc_disabled = 1; AT = DISABLE_2 }
  :: STEP(DISABLE_2) disabled = 1; publish_stores(); AT = DISABLE_3 }
  :: STEP(DISABLE_3)
      if
      :: requests != 0 -> AT = DISABLE_4
      :: else -> program_disabled = 1; AT = IDLE
      fi
    }
#ifdef WITHOUT_HOLDING
  :: STEP(DISABLE_4) AT = DISABLE_5 }
#else
  :: STEP_IF(DISABLE_4, !at_work) AT = DISABLE_5 }
  :: STEP_IF(DISABLE_4, at_work && !signalling) held = 1; AT = DISABLE_5 }
#endif
#ifdef WITHOUT_DELIVERY_ON_DISABLING
  :: STEP(DISABLE_5)
#else
  :: STEP_IF(DISABLE_5, !deliverable)
#endif
      program_disabled = 1; AT = IDLE }
  // Before libc's and again behind it: a handler that interrupts the change finds the two agree.
  :: STEP(ENABLE_1)
      program_disabled = 0;
#ifndef WITHOUT_ENABLING_FIRST
      disabled = 0;
      publish_stores();
#endif
      AT = ENABLE_2
    }
  :: STEP(ENABLE_2) let_go(); AT = ENABLE_3 }
  :: STEP(ENABLE_3) libc_disabled = 0; program_disabled = 0; AT = ENABLE_4 }
  :: STEP(ENABLE_4) disabled = 0; publish_stores(); AT = ENABLE_5 }
  :: STEP(ENABLE_5) let_go(); AT = ENABLE_6 }
  :: STEP(ENABLE_6)
      if
      :: requests != 0 ->
#ifndef WITHOUT_NEW_REQUEST
        requests++;
        publish_stores();
#endif
        if
        :: inside != 0 -> then[top] = ENABLE_7; AT = SETTLE
        :: else -> AT = IDLE
        fi
      :: else -> AT = IDLE
      fi
    }
  :: STEP(ENABLE_7)
      looked[top] = 0;
#ifndef WITHOUT_LOOK_ON_ENABLING
      if
      :: inside != 0 && !signal_will_come -> raise()
      :: else
      fi;
#endif
      AT = IDLE
    }
  :: ended -> break
  od
}

proctype Canceller() {
  bit waits, signals;
  at_work = 1;
  requests++;
#ifndef WITHOUT_BARRIER
  inside_seen = inside;
#endif
  atomic { waits = inside_seen != 0; unread = 0; inside_seen = 0 };
  atomic {
    if
    :: disabled -> waits = 0
    :: else
    fi
  };
  marked = 1;                   /* libc's pthread_cancel(), which is what may take long */
  stands = 1;
  // must_signal(): one exchange of the word that decides, or ends the work.
#ifdef WITHOUT_LAST_LOOK
  signals = (waits || given_up) && !held;
  atomic {
    if
    :: signals -> signalling = 1
    :: else -> at_work = 0; given_up = 0; held = 0
    fi
  };
#elif defined(WITHOUT_COMMITMENT)
  signals = (waits || given_up) && !held;
#else
  atomic {
    signals = (waits || given_up) && !held;
    if
    :: signals -> signalling = 1
    :: else -> at_work = 0; given_up = 0; held = 0
    fi
  };
#endif
  if
  :: signals -> external = 1; atomic { at_work = 0; given_up = 0; held = 0; signalling = 0 }
#ifdef WITHOUT_COMMITMENT
  :: else -> atomic { at_work = 0; given_up = 0; held = 0 }
#else
  :: else
#endif
  fi
}

init {
  atomic {
    kind[0] = THREAD; at[0] = IDLE; left[0] = CALLS;
    if
    :: patient = 1
    :: true
    fi;
    if
    :: stands = 1
    :: true
    fi;
    user_signal = 1;
    if
    :: events = 2
    :: true
    fi;
    run Target();
    run Canceller()
  };
  atomic {
    timeout ->
    assert(ended || AT == KERNEL);
    assert(ended || !marked || libc_disabled)
  }
}
