/* SPDX-License-Identifier: MIT */
/* The life of tags and fids over one connection: world, properties and what must hold at the end.
   client.pml does what proto/ does, server.pml what servers may do. README.md says what stands for
   what; `run` lists the configurations. Names in capitals come from there. */

#ifndef SLOTS
#define SLOTS 3                 /* requests at one time */
#endif
#ifndef SUBMITS
#define SUBMITS 4               /* requests in all, without the Tclunks that follow from them */
#endif
#ifndef TAGS
#define TAGS 3
#endif
#ifndef RESERVE
#define RESERVE 1               /* of these, for Tflush only */
#endif
#ifndef QUARANTINE_TAGS
#define QUARANTINE_TAGS 1       /* handed out before a quarantined one comes back */
#endif
#ifndef FIDS
#define FIDS 0
#endif
#ifndef ROOM
#define ROOM 2                  /* messages in each direction */
#endif

#define NONE 255
#if FIDS > 0
#define FID_ROWS FIDS
#else
#define FID_ROWS 1
#endif

/* A reply's type is its request's and one, as in 9P. Twork stands for all that make no fid. */
#define TWORK 1
#define RWORK 2
#define TWALK 3
#define RWALK 4
#define TCLUNK 5
#define RCLUNK 6
#define TFLUSH 7
#define RFLUSH 8
#define RERROR 10

/* The wire. `id` says whose it is, `maker` which Twalk made the fid meant: both are for assertions
   and for them alone. `answered`: of Rflush, the reply was sent before. `stray`: sent after it. */
chan to_server = [ROOM] of { byte /* type */, byte /* tag */, byte /* oldtag or fid */,
                             byte /* id */, byte /* maker */ };
chan to_client = [ROOM] of { byte /* type */, byte /* tag */, byte /* id */, bit /* answered */,
                             bit /* stray */ };
bit lost;                       /* the connection */
bit stalled;                    /* the server reads no more */
bit calm;                       /* nobody asks, cancels or lets go any more */
#define BUSY (!lost && !calm)

/* What the wire says of a number, whatever client and server believe: who still has it in hand. */
byte hands[TAGS];               /* messages that hold or name this tag, unresolved */
byte named[FID_ROWS];           /* requests that name this fid, unresolved */

/* Scratch of one step, no part of any state. */
hidden byte row, slot, tag_got, waiter, fid_got, oldest;
hidden byte in_type, in_tag, in_arg, in_id, in_maker;
hidden byte in_answered, in_stray, is_flush, made;

/* Places that a search must come to, or it shows nothing: -DPLACE=... makes one an error. */
#define HONOURED 1              /* a reply behind its Tflush */
#define TAKEN_BACK 2            /* a Tflush of which nothing was sent when the reply came */
#define CANCELLED_ON_THE_WIRE 3
#define FLUSH_WAITED 4          /* a Tflush got the tag that it had to wait for */
#define FLUSHED_WHEN_COMPLETE 5 /* cancelled half-written */
#define QUARANTINE_ENDED 6
#define LATE_DROPPED 7
#define LATE_AFTER_QUARANTINE 8 /* its header came before the end */
#define SETTLED_BY_REPLY 9
#define SETTLED_BY_RFLUSH 10
#define CLUNK_WAITED 11         /* for the last request that names the fid */
#define STRAY_SEIZED 12
#define REUSED_IN_QUARANTINE 13 /* a fid number, before a late reply for it */
#ifdef PLACE
#define reached(place) assert(PLACE != place)
#else
#define reached(place) skip
#endif

#include "client.pml"
#include "server.pml"

/* ---- who does what: client processes first, for their numbers */

active [SLOTS] proctype Caller() {
end:
  do
  :: d_step { may_cancel(_pid) -> cancel(_pid) }
#ifdef TIMEOUTS
  :: d_step { may_abandon(_pid) -> abandon(_pid); give_out_tags() }
#endif
  od
}

#define MY_TAG (_pid - SLOTS)
active [TAGS] proctype Worker() {
end:
  do
  :: d_step { may_answer(MY_TAG) -> answer(MY_TAG, 0) }
#ifdef ERRORS
  :: d_step { may_answer(MY_TAG) && work[MY_TAG].type != TCLUNK -> answer(MY_TAG, 1) }
#endif
  :: d_step { may_answer_flush(MY_TAG) && is_idle(MY_TAG) -> answer_flush(MY_TAG, 0, 0) }
  :: d_step { may_answer_flush(MY_TAG) && !is_idle(MY_TAG) -> answer_flush(MY_TAG, 0, 0) }
#ifdef UNTIDY
  /* It was carried out all the same, only its reply was dropped. */
  :: d_step { may_answer_flush(MY_TAG) && work[MY_TAG].type == TWALK && !is_idle(MY_TAG) ->
              answer_flush(MY_TAG, 1, 0) }
#endif
#ifdef SLOPPY
  :: d_step { may_answer_flush(MY_TAG) && !is_idle(MY_TAG) -> answer_flush(MY_TAG, 0, 1) }
  :: d_step { is_late(MY_TAG) && nfull(to_client) -> answer_late(MY_TAG) }
  :: d_step { is_late(MY_TAG) -> forget_late(MY_TAG) }
#endif
  /* The clock of TagPool's quarantine is the client's: here for the number of the tag. */
  :: d_step { may_pass_time(MY_TAG) -> expired[MY_TAG] = 1; give_out_tags() }
  od
}

#if FIDS > 0
#define MY_FID (_pid - SLOTS - TAGS)
active [FIDS] proctype Holder() {
end:
  do
  :: d_step { BUSY && held[MY_FID] && budget > 0 && used < SLOTS ->
              budget--; submit(TWORK, MY_FID) }
  :: d_step { BUSY && held[MY_FID] -> held[MY_FID] = 0; retire_fid(MY_FID) }
  /* In a step of its own, for there may be no slot for it yet. The code always has one. */
  :: d_step { !lost && due[MY_FID] && used < SLOTS ->
              due[MY_FID] = 0; submit(TCLUNK, MY_FID) }
  od
}
#endif

active proctype Client() {
  d_step {
    for (row : 0 .. TAGS - 1) { free_tags!row }
#if FIDS > 0
    for (row : 0 .. FIDS - 1) { free_fids!row }
#endif
  }
end:
  do
#if FIDS > 0
  :: d_step { BUSY && budget > 0 && used < SLOTS && nempty(free_fids) ->
              budget--; acquire_fid(); submit(TWALK, fid_got) }
#else
  :: d_step { BUSY && budget > 0 && used < SLOTS -> budget--; submit(TWORK, NONE) }
#ifdef CLUNKS
  :: d_step { BUSY && budget > 0 && used < SLOTS -> budget--; submit(TCLUNK, NONE) }
#endif
#endif
  :: d_step { may_write && nfull(to_server) -> write_rest() }
#ifdef HALVES
  :: d_step { may_write && current == NONE -> write_half() }
#endif
#ifdef SPLIT_READS
  :: d_step { !lost && !reading && nempty(to_client) -> read_header(); keep_header() }
  :: d_step { !lost && reading -> restore_header(); handle() }
#else
  :: d_step { !lost && nempty(to_client) -> read_header(); handle() }
#endif
  /* Else all runs would end with everything cancelled, and nobody who waits in vain. */
  :: d_step { BUSY -> calm = 1 }
#ifdef LOSS
  :: d_step { !lost -> lose() }
#endif
  od
}

active proctype Listener() {
end:
  do
  :: d_step { !lost && !stalled && nempty(to_server) -> listen(WORKING) }
#ifdef BLOCKING
  :: d_step { !lost && !stalled && nempty(to_server) -> listen(BLOCKED) }
#endif
#ifdef MUTE
  :: d_step { !lost && !stalled && nempty(to_server) -> listen(DEAF) }
#endif
#ifdef STALL
  :: d_step { !lost && !stalled -> stalled = 1 }
#endif
  od
}

/* ---- what must hold when nothing can happen any more

   What a server owes for ever stays: a request it never answers, and what waits behind it. Nobody
   whose request was cancelled waits, though. */
#define KEPT(s) \
  (stalled || work[slots[s].tag].state == DEAF || \
   (work[slots[s].tag].state == BLOCKED && (!slots[s].wanted || slots[s].type == TCLUNK)))

hidden byte kept_slots, kept_tags;

active proctype End() {
  timeout;
  d_step {
    kept_slots = 0;
    kept_tags = 0;
    for (row : 0 .. SLOTS - 1) {
      if
      :: slots[row].state != FREE ->
        assert(!slots[row].wanted || slots[row].told);
        if
        :: slots[row].tag != NONE ->
          assert(KEPT(row));
          kept_slots++;
          kept_tags = kept_tags + 1 + (slots[row].flush_tag != NONE)
        :: else
        fi
      :: else
      fi
    }
    if
    :: !lost ->
      assert(len(waiting) == 0 ||
             (kept_slots > 0 && len(free_tags) <= RESERVE && len(quarantine) == 0));
      assert(used == kept_slots + len(waiting));
      assert(len(free_tags) + len(quarantine) + kept_tags == TAGS);
      assert(stalled || (empty(to_client) && empty(to_server) && current == NONE));
#if FIDS > 0
      for (row : 0 .. FIDS - 1) {
        assert(used > 0 || !held[row] || (fid_state[row] == LIVE && made_by[row] == maker[row]));
        assert(used > 0 || held[row] || fid_state[row] == FID_FREE);
        assert(used > 0 || held[row] || made_by[row] == 0);  /* a fid left behind on the server */
      }
#endif
    :: else -> assert(used == 0)
    fi
  }
}
