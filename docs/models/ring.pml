// The ready ring (libkev/wait/ready_ring.hpp): two producers, two consumers, one of whom is cancelled at any step.
//
// Of code: reserve, publish, claim, commit, unclaim and empty_for, one step for each access to an atomic word or a
// slot. Of design: several consumers that sleep, and what wakes them. Today's wait set (wait_set.cpp) has one thread
// that is producer and consumer in turn; the ring promises more, and this is what its users must do to get it.
//
// What is left out, and why that is sound:
// - Weak memory. Every step is seen by all at once; the orders are checked by
//   tests/unit/wait/ready_ring_model_test.cpp, on a model of C++'s memory.
// - 2^32. Counts are modulo 8 and begin shortly before the wrap. With fewer than 8 events no count comes round to a
//   value that someone still holds, which 2^32 events between two instructions are taken never to do.
// - What an event says. An event is its number; a slot that is overwritten or half-written is one with another number.
// - The producers' turns. The ring has one producer at a time, on any thread; what passes the turn is a lock here.
// - Time. A sleep has no deadline: one that ends by itself hides a wake-up that was lost.
//
// BREAKS: WITHOUT_RECHECK: the sleep does not compare the index that was looked at: the wake-up came before it
// BREAKS: WITHOUT_WAKE: a producer does not wake whoever sleeps
// BREAKS: WITHOUT_WAKE_ALL: one sleeper is woken, and it is the one that was cancelled
// BREAKS: WITHOUT_EXCHANGE: a claim looks and stores in two steps: both consumers have the event
// BREAKS: WITHOUT_ONE_CLAIM: a claim is made while another stands: the commit gives back what is being read
// BREAKS: WITHOUT_ROOM: a producer does not look at the room: slots are overwritten
// BREAKS: WITHOUT_TURNS: two producers at once fill the same slot
// BREAKS: WITHOUT_WRITE_FIRST: an event is published before it is written
// BREAKS: WITHOUT_READ_FIRST: a claim is committed before its slots are read
// BREAKS: WITHOUT_DEFERRAL: a request is acted on between claim and commit: the events are gone with the thread
// BREAKS: WITHOUT_COMMIT: a claim is never given back
// BREAKS: WITHOUT_LOOK_AFTER_UNCLAIM: who gives a claim back is cancelled there: the other sleeps, and the event stands

#define CAPACITY 2
#define MASK (CAPACITY - 1)
#define MODULO 7                /* and: counts are modulo 8 */
#define START 6                 /* so that they come round */
#define EVENTS 4                /* two of each producer */

byte slots[CAPACITY];           /* 0: nothing was written */
byte published = START, claimed = START, committed = START;
byte next = 1;                  /* the number of the next event */
byte producers_done;
bit turn;                       /* a producer is at work */
bit delivered[EVENTS + 1];
bit asleep[2];
bit requested;                  /* consumer 1 is to be cancelled */

inline take(number) {
  assert(number >= 1 && number <= EVENTS);
  assert(!delivered[number]);
  delivered[number] = 1
}

inline wake() {
#ifdef WITHOUT_WAKE
  skip
#elif defined(WITHOUT_WAKE_ALL)
  atomic {
    if
    :: asleep[1] -> asleep[1] = 0
    :: asleep[0] -> asleep[0] = 0
    :: !asleep[0] && !asleep[1]
    fi
  }
#else
  d_step { asleep[0] = 0; asleep[1] = 0 }
#endif
}

proctype Producer() {
  byte p, c, number, left = EVENTS / 2;
  do
  :: left > 0 ->
    atomic {
#ifndef WITHOUT_TURNS
      !turn -> turn = 1;
#endif
      number = next;
      next++;
      left--
    };
    do
    :: p = published;                                   /* reserve() */
       atomic {
         c = committed;
         if
#ifdef WITHOUT_ROOM
         :: true -> c = 0; break
#else
         :: ((p - c) & MODULO) < CAPACITY -> c = 0; break
         :: else -> p = 0
#endif
         fi
       };
       atomic { committed != c -> c = 0 }               /* the event stays with its producer */
    od;
#ifdef WITHOUT_WRITE_FIRST
    published = (p + 1) & MODULO;
    slots[p & MASK] = number;
#else
    slots[p & MASK] = number;
    published = (p + 1) & MODULO;                       /* publish(); only a producer writes it */
#endif
    d_step { number = 0; p = 0 };
#ifndef WITHOUT_TURNS
    turn = 0;
#endif
    wake()
  :: else -> break
  od;
  producers_done++
}

#define cancelled (me == 1 && requested)

proctype Consumer(byte me) {
  byte seen, a, n;
  do
  ::
    seen = published;                                   /* index() */
    atomic {
      if                                                /* empty_for(): claimed first, then the index again */
      :: claimed != seen -> seen = 0; goto take_some
      :: else
      fi
    };
    atomic {
      if
      :: published != seen -> seen = 0; goto take_some
      :: else
      fi
    };
    // The kernel compares and puts the thread to sleep in one step. The only place where a request is acted on.
    atomic {
      if
      :: cancelled -> goto ended
#ifdef WITHOUT_RECHECK
      :: else -> asleep[me] = 1
#else
      :: !cancelled && published == seen -> asleep[me] = 1
      :: !cancelled && published != seen
#endif
      fi;
      seen = 0
    };
end_asleep:
    atomic {
      !asleep[me] || cancelled ->
      if
      :: cancelled -> asleep[me] = 0; goto ended
      :: else -> goto next_round
      fi
    };
take_some:
    a = claimed;                                        /* claim() */
#ifndef WITHOUT_ONE_CLAIM
    atomic {
      if
      :: committed != a -> a = 0; goto next_round
      :: else
      fi
    };
#endif
    atomic {
      n = (published - a) & MODULO;
      if
      :: n > 1 + me -> n = 1 + me                       /* one at most for the first, two for the second */
      :: else
      fi;
      if
      :: n > CAPACITY - (a & MASK) -> n = CAPACITY - (a & MASK)
      :: else
      fi;
      if
      :: n == 0 -> a = 0; goto next_round
      :: else
      fi
    };
#ifdef WITHOUT_EXCHANGE
    atomic {
      if
      :: claimed != a -> a = 0; n = 0; goto next_round
      :: else
      fi
    };
    claimed = (a + n) & MODULO;
#else
    atomic {
      if
      :: claimed == a -> claimed = (a + n) & MODULO
      :: else -> a = 0; n = 0; goto next_round
      fi
    };
#endif
#ifdef WITHOUT_DEFERRAL
    if
    :: cancelled -> goto ended
    :: true
    fi;
#endif
    if
    :: true ->
#ifdef WITHOUT_READ_FIRST
      committed = claimed;
#endif
      skip;
      do
      :: n > 0 -> atomic { take(slots[a & MASK]); a = (a + 1) & MODULO; n-- }
      :: else -> break
      od;
#if !defined(WITHOUT_READ_FIRST) && !defined(WITHOUT_COMMIT)
      committed = claimed;                              /* commit(); only the claimer writes either */
#endif
      skip
    :: me == 1 ->
      claimed = committed;                              /* unclaim() */
      // Who slept because all was claimed is not woken by this. No matter: this one takes what it gave back, or finds
      // that the other has.
#ifdef WITHOUT_LOOK_AFTER_UNCLAIM
      if
      :: cancelled -> goto ended
      :: true
      fi
#endif
    fi;
    d_step { a = 0; n = 0 };
next_round:
    skip
  od;
ended:
  atomic { seen = 0; a = 0; n = 0 }
}

init {
  atomic {
    run Producer();
    run Producer();
    run Consumer(0);
    run Consumer(1)
  };
  if
  :: requested = 1                                      /* at any step */
  :: true
  fi;
  // Nobody can go on: consumers sleep, or have ended.
  atomic {
    timeout ->
    assert(producers_done == 2);
    assert(published == claimed && claimed == committed);
    assert(delivered[1] && delivered[2] && delivered[3] && delivered[4])
  }
}
