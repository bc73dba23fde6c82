/* SPDX-License-Identifier: MIT */
/* What servers may do: answer in any order, withhold, answer a flush with or without the reply
   before. And what some do all the same: UNTIDY, SLOPPY, MUTE, STALL. It sees to it that the client
   keeps to flush(5). */

#define IDLE 0                  /* its request was answered, or flushed */
#define WORKING 1
#define BLOCKED 2               /* answers nothing before it is flushed */
#define DEAF 3                  /* answers nothing, not even a flush */

typedef Work {                  /* by tag: what the last request with it wants */
  byte state;
  byte type;
  byte fid;
  byte id;
  byte maker;
  byte flush_tag = NONE;        /* NONE: no Tflush waits for its Rflush */
  bit flushed;                  /* a Tflush came */
};
typedef Late {                  /* to be answered although its Rflush is out; type 0: nothing is */
  byte type;
  byte fid;
  byte id;
};

Work work[TAGS];
Late late[TAGS];
bit late_on_its_way[TAGS];
byte flush_of[TAGS];            /* by a Tflush's tag: the oldtag and one, until Rflush */
byte made_by[FID_ROWS];         /* the fids there are: the id of the Twalk */

#define is_idle(tag) (work[tag].state == IDLE)

inline listen(mood) {
  to_server?in_type, in_tag, in_arg, in_id, in_maker;
  assert(flush_of[in_tag] == 0);          /* no tag in two hands, as seen from here */
  if
  :: in_type == TFLUSH ->
    assert(in_tag != in_arg);
    assert(work[in_arg].type != TFLUSH);  /* no Tflush of a Tflush */
    assert(work[in_arg].id == in_id);     /* no Tflush before the whole of its request */
    assert(!work[in_arg].flushed);        /* one Tflush for a request */
    assert(work[in_arg].type != TCLUNK);  /* Tclunk is never flushed */
    assert(is_idle(in_tag) && work[in_tag].flush_tag == NONE);
    work[in_tag].type = TFLUSH;
    work[in_tag].id = 0;
    work[in_arg].flushed = 1;
    work[in_arg].flush_tag = in_tag;
    flush_of[in_tag] = in_arg + 1
  :: else ->
    assert(is_idle(in_tag) && work[in_tag].flush_tag == NONE);
    work[in_tag].state = mood;
    work[in_tag].type = in_type;
    work[in_tag].fid = in_arg;
    work[in_tag].id = in_id;
    work[in_tag].maker = in_maker;
    work[in_tag].flush_tag = NONE;
    work[in_tag].flushed = 0
  fi
}

/* A request that reaches the fids. `made`: it could be done. */
inline carry_out(a_type, a_fid, an_id, a_maker) {
  made = 1;
#if FIDS > 0
  if
  :: a_type == TWALK ->
    made = (made_by[a_fid] == 0);
#ifndef SLOPPY
    assert(made);                         /* no fid number in use twice */
#endif
    made_by[a_fid] = (made -> an_id : made_by[a_fid])
  :: a_type == TWORK -> assert(made_by[a_fid] == a_maker)  /* it means the file that it says */
  :: a_type == TCLUNK ->
    assert(!(held[a_fid] && maker[a_fid] == made_by[a_fid]));  /* nobody needs it any more */
#ifndef SLOPPY
    assert(made_by[a_fid] == 0 || made_by[a_fid] == a_maker);
#endif
    made = (made_by[a_fid] != 0);
    made_by[a_fid] = 0
  fi;
#endif
  skip
}

/* A finished request leaves its id: a Tflush for it may be on its way. */
inline set_idle(a_tag) {
  work[a_tag].state = IDLE;
  work[a_tag].fid = 0;
  work[a_tag].maker = 0
}

#define may_answer(tag) \
  (!lost && nfull(to_client) && (work[tag].state == WORKING || \
   (work[tag].state == BLOCKED && work[tag].flush_tag != NONE)))

inline answer(a_tag, fails) {
  if
  :: fails -> made = 0
  :: else -> carry_out(work[a_tag].type, work[a_tag].fid, work[a_tag].id, work[a_tag].maker)
  fi;
  if
  :: made -> to_client!work[a_tag].type + 1, a_tag, work[a_tag].id, 0, 0
  :: else -> to_client!RERROR, a_tag, work[a_tag].id, 0, 0
  fi;
  set_idle(a_tag)
}

#define may_answer_flush(tag) \
  (!lost && nfull(to_client) && work[tag].flush_tag != NONE && work[tag].state != DEAF)

inline answer_flush(a_tag, done, stays) {
  if
  :: done -> carry_out(work[a_tag].type, work[a_tag].fid, work[a_tag].id, work[a_tag].maker)
  :: else
  fi;
  if
  :: stays ->
    late[a_tag].type = work[a_tag].type;
    late[a_tag].fid = work[a_tag].fid;
    late[a_tag].id = work[a_tag].id
  :: else
  fi;
  to_client!RFLUSH, work[a_tag].flush_tag, work[a_tag].id, (work[a_tag].state == IDLE), 0;
  flush_of[work[a_tag].flush_tag] = 0;
  work[a_tag].flush_tag = NONE;
  set_idle(a_tag)
}

#define is_late(tag) (!lost && late[tag].type != 0)

inline forget_late(a_tag) {
  late[a_tag].type = 0;
  late[a_tag].fid = 0;
  late[a_tag].id = 0
}

inline answer_late(a_tag) {
  if
  :: late[a_tag].type == TWORK -> made = 1  /* its fid may be gone by now: no matter */
  :: else -> carry_out(late[a_tag].type, late[a_tag].fid, late[a_tag].id, 0)
  fi;
  late_on_its_way[a_tag] = 1;
  if
  :: made -> to_client!late[a_tag].type + 1, a_tag, late[a_tag].id, 0, 1
  :: else -> to_client!RERROR, a_tag, late[a_tag].id, 0, 1
  fi;
  forget_late(a_tag)
}
