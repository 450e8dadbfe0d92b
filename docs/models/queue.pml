// The native queue (libkev/queue): posts, the bell, waiters who sleep, and one who is cancelled at any step of its sleep.
//
// Of code: EventRing's slots and their turns, claims that are committed in any order or given back, and the doorbell's
// order on both sides; one step for each access to an atomic word. Two producers post three events into a ring of two;
// consumer 0 claims and commits in two steps (kev_claim_events), consumer 1, who may be cancelled asleep, takes at once
// (kev_wait), or gives back.
//
// What is left out, and why that is sound:
// - Weak memory. What has to be sequentially consistent is so in the code; the rest is handed over by the slots' turns,
//   which tests/unit/queue/event_ring_model_test.cpp runs on a model of C++'s memory.
// - 2^64. Positions are small numbers and never come round.
// - The kernel's sets. The bell's edge is a bit: a ring sets it and wakes one sleeper, whoever sleeps takes it. A second
//   ring before that is the same edge. That is what an edge-triggered eventfd in an epoll set does.
// - Giving back is done once: twice shows nothing that once does not, and takes ten times as long.
// - The lock: what is done with it held is one step, since nobody sees less.
//
// BREAKS: WITHOUT_LOOK_AGAIN: the sleeper does not look at the ring after it has said that it sleeps
// BREAKS: WITHOUT_SAYING_FIRST: the sleeper says that it sleeps after it has looked
// BREAKS: WITHOUT_BELL: a producer does not ring
// BREAKS: WITHOUT_CLEARING: who is woken does not clear the bell's note: nobody rings any more
// BREAKS: WITHOUT_CLEARING_FIRST: it is cleared after the ring was looked at
// BREAKS: WITHOUT_PASSING_ON: who leaves while something stands does not ring for the next
// BREAKS: WITHOUT_GIVING_ON: a thread that is cancelled keeps the wake-up that it swallowed
// BREAKS: WITHOUT_RING_FOR_UNCLAIM: what is given back wakes nobody
// BREAKS: WITHOUT_TURN: a producer does not look whether the slot is free
// BREAKS: WITHOUT_EXCHANGE: two producers take the same slot

#define CAPACITY 2
#define EVENTS 3

byte turn[CAPACITY];            /* position: free; position + 1: published */
byte slot[CAPACITY];
byte tail, head;
bit returned[CAPACITY];         /* claimed, and given back */
byte returned_count;
bit may_give_back = 1;           /* once in a run */
bit notified, edge;             /* the bell's note, and its edge in the sleep set */
byte sleepers;
bit asleep[2], woken[2];
bit requested;                  /* consumer 1 is to be cancelled */
bit gone;                       /* and was */
byte next = 1;
bit delivered[EVENTS + 1];
byte producers_done;

#define stands (tail != head || returned_count != 0)

inline ring_bell() {
#ifndef WITHOUT_BELL
  atomic {
    if
    :: sleepers != 0 && !notified ->
      notified = 1;
      edge = 1;
      if                        /* the kernel wakes one of those who sleep */
      :: asleep[0] && !woken[0] -> woken[0] = 1
      :: asleep[1] && !woken[1] -> woken[1] = 1
      :: !(asleep[0] && !woken[0]) && !(asleep[1] && !woken[1])
      fi
    :: else
    fi
  }
#else
  skip
#endif
}

proctype Producer(byte left) {
  byte position, number;
  do
  :: left > 0 ->
    atomic { number = next; next++; left-- };
    do
    ::
      position = tail;
#ifdef WITHOUT_EXCHANGE
      if
      :: turn[position % CAPACITY] == position -> tail = position + 1; break
      :: else -> turn[tail % CAPACITY] == tail
      fi
#else
      atomic {
        if
#ifdef WITHOUT_TURN
        :: tail == position -> tail = position + 1; break
#else
        :: turn[position % CAPACITY] == position && tail == position -> tail = position + 1; break
#endif
        :: else -> turn[tail % CAPACITY] == tail   /* -EAGAIN: the caller tries again when there is room */
        fi
      }
#endif
    od;
    slot[position % CAPACITY] = number;
    turn[position % CAPACITY] = position + 1;
    // The sleeper is looked for in a step of its own.
    ring_bell();
    d_step { position = 0; number = 0 }
  :: else -> break
  od;
  producers_done++
}

inline deliver(which) {
  assert(which >= 1 && which <= EVENTS);
  assert(!delivered[which]);
  delivered[which] = 1
}

inline pass_on() {
#ifndef WITHOUT_PASSING_ON
  if
  :: sleepers != 0 && stands -> ring_bell()
  :: else
  fi
#else
  skip
#endif
}

proctype Consumer(byte me) {
  byte at;
  bit mine, heard;
  do
  ::
    // With the lock: what was given back comes first.
    atomic {
      mine = 0;
      if
      :: returned[0] -> returned[0] = 0; returned_count--; at = turn[0] - 1; mine = 1
      :: !returned[0] && returned[1] -> returned[1] = 0; returned_count--; at = turn[1] - 1; mine = 1
      :: !returned[0] && !returned[1] ->
        if
        :: turn[head % CAPACITY] == head + 1 -> at = head; head++; mine = 1
        :: else
        fi
      fi;
#ifdef WITHOUT_CLEARING_FIRST
      if
      :: heard -> notified = 0; heard = 0
      :: else
      fi
#endif
    };
    if
    :: mine ->
      if
      :: true ->
        atomic { deliver(slot[at % CAPACITY]) };
        turn[at % CAPACITY] = at + CAPACITY      /* commit(), in any order */
      :: may_give_back && me == 1 ->
        atomic { returned[at % CAPACITY] = 1; returned_count++; may_give_back = 0 };
#ifndef WITHOUT_RING_FOR_UNCLAIM
        ring_bell();
#endif
        if
        :: me == 1 && requested -> goto ended    /* a thread that ends holding a claim has it given back */
        :: true
        fi
      fi;
      pass_on();
      if                        /* it may go and never come back: others are to be awake by then */
      :: me == 1 && requested -> goto ended
      :: true
      fi
    :: else ->
#ifdef WITHOUT_SAYING_FIRST
      if
      :: stands -> goto again
      :: else
      fi;
      sleepers++;
#else
      sleepers++;
#ifndef WITHOUT_LOOK_AGAIN
      if
      :: stands -> sleepers--; goto again
      :: else
      fi;
#endif
#endif
      // The only place where a thread sleeps, and is cancelled: with an edge it does not.
      atomic {
        if
        :: edge -> woken[me] = 1
        :: else
        fi;
        asleep[me] = 1
      };
end_asleep:
      atomic {
        woken[me] || (me == 1 && requested) ->
        heard = woken[me] && edge;
        if
        :: heard -> edge = 0
        :: else
        fi;
        woken[me] = 0;
        asleep[me] = 0
      };
#if !defined(WITHOUT_CLEARING) && !defined(WITHOUT_CLEARING_FIRST)
      if
      :: heard -> notified = 0; heard = 0
      :: else
      fi;
#endif
      sleepers--;
      if
      :: me == 1 && requested ->
#ifndef WITHOUT_GIVING_ON
        ring_bell();
#endif
        goto ended
      :: else
      fi
    fi;
again:
    atomic { at = 0; mine = 0 }
  od;
ended:
  atomic { at = 0; mine = 0; heard = 0; gone = 1 }
}

init {
  atomic {
    turn[1] = 1;
    run Producer(2);
    run Producer(1);
    run Consumer(0);
    run Consumer(1)
  };
  if
  :: requested = 1
  :: true
  fi;
  // Nobody can go on: consumers sleep, or have ended.
  atomic {
    timeout ->
    assert(producers_done == 2);
    assert(!stands);
    assert(delivered[1] && delivered[2] && delivered[3])
  }
}
