/* SPDX-License-Identifier: MIT */
/* What proto/multiplexer, proto/tag_pool, proto/fid_pool and the fids of src/client.cpp do. Inlines
   have the names of the functions they stand for. BUG_* plants a bug. */

/* ---- Multiplexer::Slot */

#define FREE 0
#define QUEUED 1
#define PARTLY_WRITTEN 2
#define IN_FLIGHT 3
#define FLUSHING 4
#define ANSWERED 5
#define ABANDONED 6

typedef Slot {
  byte state;
  byte type;
  byte id;
  byte fid;                     /* that it names, or makes */
  byte tag = NONE;
  byte flush_tag = NONE;
  byte flush_written;           /* 0: nothing, 1: some, 2: all of the Tflush */
  bit sent;
  bit wanted;                   /* flush_wanted: it was cancelled */
  bit told;                     /* its caller had its outcome */
};

Slot slots[SLOTS];
byte used;                      /* slots that are not free */
byte serial;                    /* the last id */
byte budget = SUBMITS;

chan waiting = [SLOTS] of { byte };
chan flush_waiting = [SLOTS] of { byte };
chan flushes = [SLOTS] of { byte };
chan requests = [SLOTS] of { byte };
byte current = NONE;            /* partly written */
bit current_is_flush;

/* ---- TagPool */

#define TAG_FREE 0
#define TAG_IN_FLIGHT 1
#define TAG_FLUSHING 2
#define TAG_QUARANTINED 3
#define ENOUGH_OTHERS (QUARANTINE_TAGS < TAGS / 2 -> QUARANTINE_TAGS : TAGS / 2)

chan free_tags = [TAGS] of { byte };
chan quarantine = [TAGS] of { byte };
byte tag_state[TAGS];
byte others_left[TAGS];         /* tags to hand out before this one comes back */
bit expired[TAGS];              /* its time in quarantine is over */
byte use_slot[TAGS];            /* by_tag_ */
bit use_flush[TAGS];
byte ghost_type[TAGS];          /* ghosts_ */
byte ghost_fid[TAGS];
byte ghost_id[TAGS];            /* for assertions only */

/* ---- FidPool, FidHandle */

#define FID_FREE 0
#define LIVE 1
#define RETIRED 2
#define CLUNKING 3
#define RELEASED 4

#if FIDS > 0
chan free_fids = [FIDS] of { byte };
byte fid_state[FIDS];
byte fid_requests[FIDS];
bit held[FIDS];                 /* somebody has a FidHandle and uses it */
bit due[FIDS];                  /* a Tclunk is */
bit doubted[FIDS];              /* there may be a stray fid of this number */
byte maker[FIDS];               /* id of the Twalk it was acquired for: for assertions only */
#endif

/* ---- tags */

inline end_quarantine() {
  do
  :: len(quarantine) > 0 ->
    quarantine?<oldest>;
    if
#if defined(BUG_QUARANTINE_WITHOUT_TIME)
    :: others_left[oldest] == 0 || len(free_tags) <= RESERVE ->
#else
    :: expired[oldest] && (others_left[oldest] == 0 || len(free_tags) <= RESERVE) ->
#endif
      quarantine?oldest;
      tag_state[oldest] = TAG_FREE;
      expired[oldest] = 0;
      others_left[oldest] = 0;
      reached(QUARANTINE_ENDED);
      free_tags!oldest
    :: else -> break
    fi
  :: else -> break
  od
}

/* Into tag_got; NONE if there are no more than `reserve`. */
inline acquire(reserve) {
  end_quarantine();
  if
  :: len(free_tags) > reserve ->
    free_tags?tag_got;
    assert(tag_state[tag_got] == TAG_FREE);
    assert(hands[tag_got] == 0);      /* no tag in two hands */
    tag_state[tag_got] = TAG_IN_FLIGHT;
    for (oldest : 0 .. TAGS - 1) {
      others_left[oldest] = others_left[oldest] - (others_left[oldest] > 0)
    }
  :: else -> tag_got = NONE
  fi
}

hidden byte moved;

inline release(a_tag) {
  assert(tag_state[a_tag] == TAG_IN_FLIGHT || tag_state[a_tag] == TAG_FLUSHING);
  tag_state[a_tag] = TAG_FREE;
  use_slot[a_tag] = 0;
  use_flush[a_tag] = 0;
  free_tags!a_tag;
#ifdef BUG_LIFO_NO_QUARANTINE
  for (oldest : 2 .. len(free_tags)) {
    free_tags?moved;
    free_tags!moved
  }
#endif
}

inline put_in_quarantine(a_tag) {
  assert(tag_state[a_tag] == TAG_FLUSHING);
#if defined(BUG_LIFO_NO_QUARANTINE) || defined(BUG_NO_QUARANTINE)
  release(a_tag);
#else
  tag_state[a_tag] = TAG_QUARANTINED;
  use_slot[a_tag] = 0;
  others_left[a_tag] = ENOUGH_OTHERS;
  quarantine!a_tag;
#endif
}

/* Time passes, but servers are late by less than the quarantine is long. Without that promise no
   client can tell the late reply from the one it waits for: LATE_FOREVER. */
#ifdef LATE_FOREVER
#define ALL_QUIET(tag) 1
#else
#define ALL_QUIET(tag) (late[tag].type == 0 && !late_on_its_way[tag])
#endif
#define may_pass_time(tag) \
  (!lost && tag_state[tag] == TAG_QUARANTINED && !expired[tag] && ALL_QUIET(tag))

/* ---- fids */

#if FIDS > 0
/* Into fid_got. */
inline acquire_fid() {
  free_fids?fid_got;
  assert(fid_state[fid_got] == FID_FREE);
  assert(named[fid_got] == 0);        /* the fate of all that named it is known */
  fid_state[fid_got] = LIVE;
  maker[fid_got] = serial + 1
}

inline set_fid_free(a_fid) {
  if
  :: doubted[a_fid] ->
    doubted[a_fid] = 0;
    fid_state[a_fid] = CLUNKING;
    due[a_fid] = 1
  :: else ->
    fid_state[a_fid] = FID_FREE;
    maker[a_fid] = 0;
    free_fids!a_fid
  fi
}

inline end_fid(a_fid) {
  assert(fid_requests[a_fid] > 0);
  fid_requests[a_fid]--;
  if
  :: fid_requests[a_fid] == 0 && fid_state[a_fid] == RELEASED -> set_fid_free(a_fid)
  :: fid_requests[a_fid] == 0 && fid_state[a_fid] == RETIRED ->
    reached(CLUNK_WAITED);
    fid_state[a_fid] = CLUNKING;
    due[a_fid] = 1
  :: else
  fi
}

inline retire_fid(a_fid) {
  assert(fid_state[a_fid] == LIVE);
  if
#ifdef BUG_CLUNKED_WHILE_NAMED
  :: 0 -> skip
#else
  :: fid_requests[a_fid] > 0 -> fid_state[a_fid] = RETIRED
#endif
  :: else -> fid_state[a_fid] = CLUNKING; due[a_fid] = 1
  fi
}

inline release_fid(a_fid) {
  assert(fid_state[a_fid] != FID_FREE);
  if
  :: fid_requests[a_fid] > 0 -> fid_state[a_fid] = RELEASED
  :: else -> set_fid_free(a_fid)
  fi
}

/* Client::on_stray_fid */
inline on_stray_fid(a_fid) {
  if
  :: free_fids??[eval(a_fid)] ->
    reached(STRAY_SEIZED);
    free_fids??eval(a_fid);
    fid_state[a_fid] = LIVE;
    maker[a_fid] = in_id;
    retire_fid(a_fid)
  :: else ->
    reached(REUSED_IN_QUARANTINE);
#ifndef BUG_STRAY_FORGOTTEN
    doubted[a_fid] = 1;
#endif
    skip
  fi
}
#endif

/* What the caller does about fids. */
#define OK 1
#define REFUSED 2               /* by the server, or withdrawn unsent */
#define CANCELLED 3

inline finish(s, outcome) {
#if FIDS > 0
  if
  :: slots[s].type == TCLUNK -> release_fid(slots[s].fid)
  :: slots[s].type == TWORK -> end_fid(slots[s].fid)
  :: slots[s].type == TWALK ->
    end_fid(slots[s].fid);
    if
    :: outcome == OK -> held[slots[s].fid] = 1
#ifdef BUG_CANCELLED_WALK_FORGOTTEN
    :: outcome == REFUSED || outcome == CANCELLED -> release_fid(slots[s].fid)
#else
    :: outcome == REFUSED -> release_fid(slots[s].fid)
    :: outcome == CANCELLED -> retire_fid(slots[s].fid)
#endif
    fi
  fi
#endif
  skip
}

/* ---- outcomes */

inline conclude(s) {
  assert(!slots[s].told);       /* exactly one outcome: not a second */
  slots[s].told = 1
}

inline remove(queue, s) {
  if
  :: queue??[eval(s)] -> queue??eval(s)
  :: else
  fi
}

/* In the code what names a free slot goes stale by its generation; here it is removed. */
inline free_slot(s) {
  assert(slots[s].told);        /* exactly one outcome: not none */
  remove(waiting, s);
  remove(flush_waiting, s);
  remove(flushes, s);
  remove(requests, s);
  slots[s].state = FREE;
  slots[s].type = 0;
  slots[s].id = 0;
  slots[s].fid = 0;
  slots[s].tag = NONE;
  slots[s].flush_tag = NONE;
  slots[s].flush_written = 0;
  slots[s].sent = 0;
  slots[s].wanted = 0;
  slots[s].told = 0;
  used--
}

/* connection_lost() */
inline lose() {
  lost = 1;
  for (row : 0 .. SLOTS - 1) {
    if
    :: slots[row].state == FREE
    :: slots[row].state == ANSWERED || slots[row].state == ABANDONED -> free_slot(row)
    :: else -> conclude(row); free_slot(row)
    fi
  }
  skip
}

/* A server that keeps to the rules, or nearly, never ends a connection. BROKEN_ENDS: it may, to see
   what else a bug or a worse server does. */
#ifdef BROKEN_ENDS
#define expect(condition) \
  if \
  :: !lost && !(condition) -> lose() \
  :: else \
  fi
#else
#define expect(condition) assert(condition)
#endif

/* ---- tags for those who wait */

#define may_be_flushed(s) (slots[s].type != TCLUNK)

/* tag_got is NONE if there was no tag for it. */
inline start_flush(s) {
  acquire(0);
  if
  :: tag_got != NONE ->
    assert(tag_state[slots[s].tag] == TAG_IN_FLIGHT);
    tag_state[slots[s].tag] = TAG_FLUSHING;
    slots[s].flush_tag = tag_got;
    use_slot[tag_got] = s;
    use_flush[tag_got] = 1;
    flushes!s;
    if
    :: slots[s].state == IN_FLIGHT -> slots[s].state = FLUSHING
    :: else
    fi
  :: else
  fi
}

#ifdef BUG_NO_RESERVE
#define KEEP 0
#else
#define KEEP RESERVE
#endif

inline give_out_tags() {
  do
  :: len(flush_waiting) > 0 ->
    flush_waiting?<waiter>;
    start_flush(waiter);
    if
    :: tag_got != NONE -> flush_waiting?waiter; reached(FLUSH_WAITED)
    :: else -> break
    fi
  :: else -> break
  od;
  do
  :: len(waiting) > 0 ->
    acquire(KEEP);
    if
    :: tag_got != NONE ->
      waiting?waiter;
      slots[waiter].tag = tag_got;
      use_slot[tag_got] = waiter;
      use_flush[tag_got] = 0;
      requests!waiter
    :: else -> break
    fi
  :: else -> break
  od;
  skip
}

inline submit(what, which) {
  slot = 0;
  do
  :: slots[slot].state != FREE -> slot++
  :: else -> break
  od;
  used++;
  serial++;
  slots[slot].state = QUEUED;
  slots[slot].type = what;
  slots[slot].id = serial;
  slots[slot].fid = which;
  slots[slot].tag = NONE;
  slots[slot].flush_tag = NONE;
#if FIDS > 0
  if
  :: what != TCLUNK -> fid_requests[which]++
  :: else
#ifdef BUG_FID_FREED_AT_TCLUNK
    -> set_fid_free(which)
#endif
  fi;
#endif
  waiting!slot;
  give_out_tags()
}

/* ---- cancellation. Tclunks of fids are never cancelled: Client does not let go of them. */

#ifdef BUG_DOUBLE_FLUSH
#define CANCELLED_BEFORE(s) (slots[s].wanted && slots[s].flush_written < 2)
#else
#define CANCELLED_BEFORE(s) slots[s].wanted
#endif
#define may_cancel(s) \
  (BUSY && slots[s].state >= QUEUED && slots[s].state <= FLUSHING && !CANCELLED_BEFORE(s) && \
   !(FIDS > 0 && slots[s].type == TCLUNK))

inline cancel(s) {
  if
  :: slots[s].state == QUEUED ->
    conclude(s);
    finish(s, REFUSED);
    if
    :: slots[s].tag != NONE -> release(slots[s].tag)
    :: else
    fi;
    free_slot(s);
#ifndef BUG_CANCEL_WAKES_NOBODY
    give_out_tags()
#endif
  :: slots[s].state == PARTLY_WRITTEN ->
    slots[s].wanted = 1;
#ifdef BUG_FLUSH_OVERTAKES
    start_flush(s);
    slots[s].state = (tag_got == NONE -> PARTLY_WRITTEN : FLUSHING)
#endif
  :: slots[s].state == IN_FLIGHT ->
    slots[s].wanted = 1;
    if
#ifdef BUG_CLUNK_FLUSHED
    :: 1 ->
#else
    :: may_be_flushed(s) ->
#endif
      start_flush(s);
      if
      :: tag_got == NONE -> flush_waiting!s
      :: else
      fi
    :: else
    fi
  :: else ->
#ifdef BUG_DOUBLE_FLUSH
    slots[s].flush_written = 0;
    flushes!s
#endif
    skip
  fi
}

#define may_abandon(s) \
  (!lost && slots[s].wanted && slots[s].state >= PARTLY_WRITTEN && slots[s].state <= FLUSHING)

inline abandon(s) {
#ifdef BUG_FLUSH_FLUSHED
  /* No Rflush in time: flush it, too. */
  if
  :: slots[s].state == FLUSHING && slots[s].flush_written == 2 && len(to_server) < ROOM ->
    to_server!TFLUSH, slots[s].tag, slots[s].flush_tag, slots[s].id, 0
  :: else
  fi;
#endif
  slots[s].state = ABANDONED;
  conclude(s);
#if FIDS > 0
  if
  :: slots[s].type == TWALK ->
#ifdef BUG_FID_REUSED_EARLY
    fid_requests[slots[s].fid] = 0;
    set_fid_free(slots[s].fid)
#else
    retire_fid(slots[s].fid)
#endif
  :: else
  fi;
#endif
#ifdef BUG_ABANDONED_FORGOTTEN
  if
  :: slots[s].flush_tag == NONE && slots[s].sent -> release(slots[s].tag); free_slot(s)
  :: else
  fi;
#endif
  skip
}

/* ---- sending: a frame at a time, whole or in two halves */

#define may_write (!lost && (current != NONE || len(flushes) > 0 || len(requests) > 0))

/* next_item(), into slot and is_flush. */
inline next_item() {
  if
#ifdef BUG_FLUSH_OVERTAKES
  :: len(flushes) > 0 -> flushes?slot; is_flush = 1
  :: len(flushes) == 0 && current != NONE ->
#else
  :: current != NONE ->
#endif
    slot = current;
    is_flush = current_is_flush;
    current = NONE;
    current_is_flush = 0
  :: else ->
    if
    :: len(flushes) > 0 -> flushes?slot; is_flush = 1
    :: else -> requests?slot; is_flush = 0
    fi
  fi
}

/* Its first byte goes out: from now on it counts for `hands` and `named`. */
inline begin_item() {
  if
  :: is_flush && slots[slot].flush_written == 0 ->
    hands[slots[slot].tag]++;
    hands[slots[slot].flush_tag]++
  :: !is_flush && slots[slot].state == QUEUED ->
    hands[slots[slot].tag]++;
#if FIDS > 0
    named[slots[slot].fid]++;
#endif
    slots[slot].state = PARTLY_WRITTEN
  :: else
  fi
}

inline write_half() {
  next_item();
  begin_item();
  current = slot;
  current_is_flush = is_flush;
  if
  :: is_flush -> slots[slot].flush_written = 1
  :: else
  fi
}

inline write_rest() {
  next_item();
  begin_item();
  if
  :: is_flush ->
    slots[slot].flush_written = 2;
    to_server!TFLUSH, slots[slot].flush_tag, slots[slot].tag, slots[slot].id, 0
  :: else ->
    slots[slot].sent = 1;
#if FIDS > 0
    to_server!slots[slot].type, slots[slot].tag, slots[slot].fid, slots[slot].id, maker[slots[slot].fid];
#else
    to_server!slots[slot].type, slots[slot].tag, NONE, slots[slot].id, 0;
#endif
    if
    :: slots[slot].state == PARTLY_WRITTEN -> slots[slot].state = IN_FLIGHT
    :: else
    fi;
    if
#ifdef BUG_FLUSH_FORGOTTEN
    :: 0 -> skip
#else
    :: slots[slot].wanted && may_be_flushed(slot) && slots[slot].flush_tag == NONE ->
      reached(FLUSHED_WHEN_COMPLETE);
      flush_waiting!slot
#endif
    :: else
    fi
  fi;
  give_out_tags()
}

/* ---- receiving. Whether a reply is late is settled at its header, as in place(). */

bit reading;
byte kept_type, kept_tag, kept_id;
bit kept_answered, kept_stray, kept_late;
hidden byte in_late;

inline read_header() {
  to_client?in_type, in_tag, in_id, in_answered, in_stray;
  if
  :: in_stray -> late_on_its_way[in_tag] = 0
  :: else
  fi;
  expect(tag_state[in_tag] != TAG_FREE);
  in_late = (tag_state[in_tag] == TAG_QUARANTINED)
}

inline keep_header() {
  reading = 1;
  kept_type = in_type;
  kept_tag = in_tag;
  kept_id = in_id;
  kept_answered = in_answered;
  kept_stray = in_stray;
  kept_late = in_late
}

inline restore_header() {
  in_type = kept_type;
  in_tag = kept_tag;
  in_id = kept_id;
  in_answered = kept_answered;
  in_stray = kept_stray;
  in_late = kept_late;
#ifdef BUG_LATE_SETTLED_AT_BODY
  in_late = (tag_state[in_tag] == TAG_QUARANTINED);
#endif
  reading = 0;
  kept_type = 0;
  kept_tag = 0;
  kept_id = 0;
  kept_answered = 0;
  kept_stray = 0;
  kept_late = 0
}

inline handle() {
  if
  :: lost
  :: !lost && in_late -> handle_late()
  :: !lost && !in_late ->
    slot = use_slot[in_tag];
    if
    :: use_flush[in_tag] -> handle_rflush()
    :: else -> handle_reply()
    fi
  fi
}

inline handle_reply() {
  expect(slots[slot].sent && slots[slot].state != ANSWERED);
  expect(in_type == slots[slot].type + 1 || in_type == RERROR);
  if
  :: lost
  :: else ->
    assert(in_id == slots[slot].id);  /* no reply to a stranger */
    hands[in_tag]--;
#if FIDS > 0
    named[slots[slot].fid]--;
#endif
    if
    :: slots[slot].state == ABANDONED -> reached(SETTLED_BY_REPLY); settle(slot)
    :: else ->
      conclude(slot);
      if
      :: in_type == RERROR -> finish(slot, REFUSED)
      :: else -> finish(slot, OK)
      fi
    fi;
    if
    :: slots[slot].flush_written > 0 ->
      reached(HONOURED);
      slots[slot].state = ANSWERED;
#ifdef BUG_TAG_FREED_AT_REPLY
      release(slots[slot].tag)
#endif
    :: else ->
      if
      :: slots[slot].flush_tag != NONE -> reached(TAKEN_BACK); release(slots[slot].flush_tag)
      :: else
      fi;
      release(slots[slot].tag);
      free_slot(slot)
    fi;
    give_out_tags()
  fi
}

/* Settled: what an abandoned request named may go. A Tclunk's number went when it was abandoned. */
inline settle(s) {
#if FIDS > 0
  if
#ifdef BUG_FID_REUSED_EARLY
  :: slots[s].type == TWALK -> skip
#endif
  :: slots[s].type != TCLUNK -> end_fid(slots[s].fid)
  :: else
  fi;
#endif
  skip
}

inline handle_rflush() {
  expect(slots[slot].flush_written == 2);
  expect(in_type == RFLUSH);
  if
  :: lost
  :: else ->
    assert(in_id == slots[slot].id && in_tag == slots[slot].flush_tag);  /* no Rflush to a stranger */
    hands[slots[slot].flush_tag]--;
    hands[slots[slot].tag]--;
    release(slots[slot].flush_tag);
    if
    :: slots[slot].state == ANSWERED
#ifndef BUG_TAG_FREED_AT_REPLY
      -> release(slots[slot].tag)
#endif
    :: else ->
      assert(!in_answered);     /* it is cancelled only if nobody answered */
      hands[slots[slot].tag]--;
#if FIDS > 0
      named[slots[slot].fid]--;
#endif
      if
      :: slots[slot].state == ABANDONED -> reached(SETTLED_BY_RFLUSH); settle(slot)
      :: else -> reached(CANCELLED_ON_THE_WIRE); conclude(slot); finish(slot, CANCELLED)
      fi;
      tag_got = slots[slot].tag;
      ghost_type[tag_got] = slots[slot].type;
      ghost_id[tag_got] = slots[slot].id;
#if FIDS > 0
      ghost_fid[tag_got] = slots[slot].fid;
#endif
      put_in_quarantine(tag_got)
    fi;
    free_slot(slot);
    give_out_tags()
  fi
}

inline handle_late() {
  expect(in_type == ghost_type[in_tag] + 1 || in_type == RERROR);
  if
  :: lost
  :: else ->
    assert(in_stray && in_id == ghost_id[in_tag]);  /* nothing is dropped that somebody waits for */
    reached(LATE_DROPPED);
    if
    :: tag_state[in_tag] != TAG_QUARANTINED -> reached(LATE_AFTER_QUARANTINE)
    :: else
    fi;
#if FIDS > 0
    if
    :: in_type == RWALK -> on_stray_fid(ghost_fid[in_tag])
    :: else
    fi
#endif
  fi
}
