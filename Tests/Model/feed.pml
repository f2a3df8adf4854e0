/*
 * The feed protocol: Redis and what may happen to it, issuers with their outboxes, validators with their leases.
 * The article Model says what is abstracted and how far this reaches; scripts/model checks it.
 *
 * Built with one of these, each a search of its own:
 *   -DSTREAM      one validator, one issuer, two tokens: messages, replay, a trimmed log, the live set
 *   -DFAILOVER    one validator, one issuer, one token: failovers and losses of data, one after the other
 *   -DFLEET       two validators, one issuer, one token: the registry, and nodes that are forgotten
 *   -DISSUERS     one validator, two issuers, one token: a mirror, a lost disk, excuses
 *   -DDECISION    one validator, one issuer, one token: decisions in flight, and a clock that is slow
 *   -DCLOCK       one validator, one issuer, one token: civil clocks that are set, by which the token expires
 * with -DEPOCHS=n -DFAILOVERS=n -DLEASE=n, and with names of variants, mutants and limits: the capitals below, each
 * explained where it is used.
 */
#if defined(FLEET)
#define VALIDATORS 2
#else
#define VALIDATORS 1
#endif
#if defined(ISSUERS)
#define ISSUING 2
#define AT_ONCE      /* validators merge and extend in the step in which they renew, and hear no messages */
#else
#define ISSUING 1
#endif
#if defined(STREAM)
#define TOKENS 2
#define COMMITS 2
#else
#define TOKENS 1
#define COMMITS 1
#endif

/* So many epochs there are at most, and so many failovers within them. */
#ifndef EPOCHS
#define EPOCHS 2
#endif
#ifndef FAILOVERS
#define FAILOVERS 0
#endif

/* Ticks: of a lease by the validator's clock, of a lease by any clock, and for which a deposed master still serves. */
#ifndef LEASE
#define LEASE 2
#endif
#ifdef DECISION
#define BOUND (LEASE + 1)
#else
#define BOUND LEASE
#endif
#define FENCE (FAILOVERS > 0)

/* What an issuer waits for a lease to end. Mutant NO_ALLOWANCE: as if all clocks ran alike. */
#ifdef NO_ALLOWANCE
#define WAIT LEASE
#else
#define WAIT BOUND
#endif

/* From entering an epoch to the first confirmation in it. Mutant NO_RECOVERY_WAIT: nothing. */
#define SETTLED (WAIT + FENCE)
#ifdef NO_RECOVERY_WAIT
#define RECOVERY 0
#else
#define RECOVERY SETTLED
#endif

/* Nodes of the registry: validators, and the follower of issuer 1, which mirrors what issuer 0 commits. */
#define FOLLOWER VALIDATORS
#define NODES (VALIDATORS + ISSUING - 1)
#define ALL_TOKENS ((1 << TOKENS) - 1)
#define ALL_ISSUERS ((1 << ISSUING) - 1)
#define bit_of(x) (1 << (x))

/* The properties. They stay 0: an assertion of one of them fails when it is reached, and the report names it. */
byte S1, S2, S3, S4, S5, S6, WITNESS;

/* -DONLY=1 and so on: only the assertions of that property. */
#ifdef ONLY
#define watches(p) (ONLY == p)
#else
#define watches(p) true
#endif

/* -DSHOW=name: fails where that happens, to show that it can. */
#ifndef SHOW
#define SHOW 0
#endif
#define CONFIRMS_BY_REGISTRY 1
#define CONFIRMS_BY_TIME 2
#define CONFIRMS_AFTER_RECOVERY 3
#define ACCEPTS_AFTER_RECOVERY 4
#define LOADS_AFTER_TRIM 5
#define OPENS_WITH_ALL 6
#define OPENS_WITH_EXCUSE 7
#define SERVES_AFTER_A_WRONG_CLOCK 8
#define witness(name, condition) if :: SHOW == name && (condition) -> assert(WITNESS) :: else fi

/* Counters of loops, 0 between steps. */
byte i_, n_, s_;

/* ---- Redis: two processes, the master and, after a failover, the one that was it ---- */
typedef Redis {
    byte epoch;           /* nonce of the epoch that exists here; 0 when the data or the process does not match it */
    bit open;             /* it is open, not restoring */
    byte seq;             /* the head */
    byte first;           /* the first sequence that the log still holds, or will hold */
    byte live;            /* live set */
    byte declared;        /* issuers that have said restored */
    byte excused;         /* issuers that the operator excused from this epoch */
    byte nodes;           /* registry: who is in it */
    byte stated[NODES];   /* registry: up to where each said that it had applied */
    byte granted[NODES];  /* how long the issuer can say that the entry has not changed */
};
Redis redis[2];
bit master;
byte fence;      /* ticks for which the deposed master still serves */
byte failovers;
byte nonces;
byte base[EPOCHS + 1];                      /* the live set when an epoch opened */
byte log[(EPOCHS + 1) * (COMMITS + 1)];     /* what each epoch published under each sequence */
#define entry(e, s) log[(e) * (COMMITS + 1) + (s)]
#define serving(r) ((r) == master || fence > 0)

/* ---- Validators ---- */
#define IDLE 0
#define ANSWERED 1    /* the script renew has granted; its answer is under way */
#define LOADING 2
#define EXTENDED 3    /* of the mutant EXTEND_FIRST */
typedef Node {
    byte phase;
    bit link;         /* the Redis process that the connection for commands leads to */
    byte epoch;       /* position; 0: detached */
    byte applied;
    byte index;
    byte lease;       /* ticks left, by its own clock */
    byte since;       /* ticks since the renewal was sent, by its own clock */
    byte stated;      /* what the renewal stated */
    byte head;        /* what its answer reaches */
    byte pages;       /* pages of the live set that are still to be read */
#ifdef DECISION
    byte decision;
    byte held;        /* ticks left of the lease that the decision began with */
#endif
#ifdef DECISION
    byte steady;      /* ticks until the clock may be slow once more */
#endif
#ifdef CLOCK
    byte believed;    /* 0: the civil clock is not; otherwise one more than what it showed when it was found to agree */
    bit seen;         /* the greatest time seen, by which the index has dropped what had expired */
#endif
#ifdef TIMER_FLAG
    bit flag;
#endif
#ifdef ACK_WITHOUT_EPOCH
    byte acked;
#endif
};
Node node[VALIDATORS];

#ifdef CLOCK
/* Civil clocks: 0 is right, and by 1 the token has expired, by so much that an index drops what revokes it. */
bit civil;            /* that of the validator */
bit redis_civil;
bit corrected;        /* an index has dropped it, and the time by which it did was discarded */
#define may_ask(n) (node[n].believed == civil + 1)
#define is_dropped(n) node[n].seen
#else
#define may_ask(n) true
#define is_dropped(n) false
#endif

/* ---- Issuers ---- */
#define BEGUN 1       /* recovery run: an epoch was begun or found, and the live set is to be read */
#define READ 2        /* recovery run: what it lacks is to be committed */
typedef Issuer {
    byte outbox;      /* on disk: own revocations and mirrored ones */
    byte view;        /* the epoch that it acts in */
    byte entered;     /* the epochs that it has entered; on disk */
    byte phase;
    byte todo;        /* of the outbox, what the live set lacks */
    byte seen;        /* ticks since it entered that epoch */
#if ISSUING > 1
    byte got;         /* mirrored, not on disk yet */
    byte heard;       /* position of the follower */
    byte synced;      /* position up to which everything is on disk */
#endif
};
Issuer issuer[ISSUING];
byte dead;            /* issuers whose disk is gone */
byte sticky;          /* of the mutant EXCUSE_STICKS */

/* ---- Tokens. Somebody asks to confirm the revocation of token 0; token 1 is other traffic. ---- */
#define NONE 0
#define DURABLE 1     /* in the owner's outbox; not known to be in Redis */
#define STORED 2      /* known to be in Redis, in the epoch that the owner acts in */
#define CONFIRMED 3   /* confirm has returned */
typedef Token {
    byte state;
    byte owner;
    byte seq;
    byte pending;     /* nodes that were in the registry at the commit and have not been heard of */
    byte timer;       /* ticks since the answer to the commit */
    byte holders;     /* issuers known to have it on disk */
    bit lost;         /* an epoch opened without it, because everyone known to have it was excused */
    byte age;         /* 1 + ticks since the first commit */
};
Token token[TOKENS];

/* ---- Steps of Redis ---- */
inline clear_registry(r) {
    redis[r].nodes = 0;
    n_ = 0;
    do
    :: n_ < NODES -> redis[r].stated[n_] = 0; redis[r].granted[n_] = 0; n_++
    :: else -> break
    od;
    n_ = 0
}

inline end_epoch(r) {
    redis[r].epoch = 0; redis[r].open = 0; redis[r].seq = 0; redis[r].first = 0; redis[r].declared = 0;
    redis[r].excused = 0;
    clear_registry(r)
}

/* Script revoke. While restoring, into sequence and live set only. */
inline commit(r, t) {
    redis[r].seq++;
    redis[r].live = redis[r].live | bit_of(t);
    if
    :: redis[r].open -> entry(redis[r].epoch, redis[r].seq) = bit_of(t)
    :: else -> redis[r].first = redis[r].seq + 1
    fi;
#if ISSUING == 1
    token[t].age = (t == 0 && token[t].age == 0 -> 1 : token[t].age)
#else
    skip
#endif
}

inline register(r, n, position) {
    redis[r].nodes = redis[r].nodes | bit_of(n); redis[r].stated[n] = position; redis[r].granted[n] = 0
}

inline unregister(r, n) {
    redis[r].nodes = redis[r].nodes & ~bit_of(n); redis[r].stated[n] = 0; redis[r].granted[n] = 0
}

/* ---- Steps of a validator ---- */
#define here(n) node[n].link
#define is_position(n) (node[n].phase != LOADING)

/* Mutant LEASE_WHILE_RESTORING: leases are granted before the epoch is open. */
#ifdef LEASE_WHILE_RESTORING
#define grants(r) (redis[r].epoch != 0)
#else
#define grants(r) (redis[r].epoch != 0 && redis[r].open)
#endif

#define is_elsewhere(n) (node[n].epoch != redis[here(n)].epoch || node[n].applied > redis[here(n)].seq)
#define is_behind_log(n) (node[n].applied < redis[here(n)].seq && redis[here(n)].first > node[n].applied + 1)
/* Mutant NO_TRIM_CHECK: nobody looks whether the log still holds what follows the position. */
#ifdef NO_TRIM_CHECK
#define must_load(n) is_elsewhere(n)
#else
#define must_load(n) (is_elsewhere(n) || is_behind_log(n))
#endif

inline idle(n) {
    node[n].phase = IDLE; node[n].since = 0; node[n].stated = 0; node[n].head = 0; node[n].pages = 0
}

inline detach(n) { idle(n); node[n].epoch = 0; node[n].applied = 0 }

inline learn(n, mask) { node[n].index = node[n].index | (mask) }

/* Limit LONGER_BEFORE: the first epoch granted longer leases than the others do. */
#ifdef LONGER_BEFORE
#define length(n) (LEASE + (node[n].epoch == 1))
#else
#define length(n) LEASE
#endif

/* The lease counts from when the renewal was sent. Mutant FROM_RECEIPT: from when its answer came. */
inline extend(n) {
#ifdef FROM_RECEIPT
    node[n].lease = LEASE;
#else
    if
    :: node[n].since < LEASE -> node[n].lease = length(n) - node[n].since
    :: else
    fi;
#endif
#ifdef TIMER_FLAG
    node[n].flag = (node[n].lease > 0);
#endif
    skip
}

inline merge(n) {
    s_ = node[n].stated;
    do
    :: s_ < node[n].head -> s_++; learn(n, entry(node[n].epoch, s_))
    :: else -> break
    od;
    s_ = 0;
    node[n].applied = (node[n].applied < node[n].head -> node[n].head : node[n].applied)
}

/*
 * Feed.renew, script renew. The request travels in no time and its answer in any: a delay of the request would end the
 * lease earlier and state an older position, which is less.
 * Mutant RESYNC_REPLACES: a load begins with an empty index.
 */
inline renew_elsewhere(n) {
    d_step { node[n].phase == IDLE && may_ask(n) && grants(here(n)) && must_load(n) ->
        node[n].phase = LOADING; node[n].epoch = redis[here(n)].epoch; node[n].applied = redis[here(n)].seq;
        node[n].pages = ALL_TOKENS;
        witness(LOADS_AFTER_TRIM, node[n].index != 0 && node[n].lease > 0 && redis[here(n)].first > 1);
#ifdef RESYNC_REPLACES
        if
        :: watches(2) && node[n].index != 0 -> assert(S2)
        :: else -> node[n].index = 0
        fi;
#endif
        skip }
}

/* The answer has no room for all that is missing: no lease. */
inline renew_in_part(n) {
    d_step { node[n].phase == IDLE && grants(here(n)) && !must_load(n) && !is_behind_log(n) &&
        node[n].applied + 1 < redis[here(n)].seq ->
        node[n].applied++;
        learn(n, entry(node[n].epoch, node[n].applied)) }
}

/* Mutant STATES_HEAD: the registry is told what the answer reaches, not what the node has applied. */
inline renew_granted(n) {
    d_step { node[n].phase == IDLE && may_ask(n) && grants(here(n)) && !must_load(n) ->
        node[n].head = redis[here(n)].seq;
        /* The answer begins with what the log still holds. */
        node[n].stated = (is_behind_log(n) -> redis[here(n)].first - 1 : node[n].applied);
#ifdef STATES_HEAD
        register(here(n), n, redis[here(n)].seq);
#else
        register(here(n), n, node[n].applied);
#endif
#ifdef ACK_WITHOUT_EPOCH
        node[n].acked = (node[n].acked < node[n].applied -> node[n].applied : node[n].acked);
#endif
#ifdef AT_ONCE
        merge(n); extend(n); idle(n)
#else
        node[n].phase = ANSWERED
#endif
        }
}

/* Everything committed in the epoch up to a sequence, and what was there when it opened. */
#define covered(n, to) (base[node[n].epoch] | ((to) >= 1 -> entry(node[n].epoch, 1) : 0) | \
    ((to) >= 2 -> entry(node[n].epoch, COMMITS) : 0))

/* Feed.renewed, Feed.merge, Lease.extend: first merge, then extend. */
inline renewed(n) {
    d_step { node[n].phase == ANSWERED ->
        merge(n);
        extend(n);
        if
        :: watches(4) && node[n].lease + node[n].since > LEASE -> assert(S4)
        :: watches(4) && !is_dropped(n) && (covered(n, node[n].head) & ~node[n].index) != 0 -> assert(S4)
        :: else
        fi;
        idle(n) }
}

/* Mutant EXTEND_FIRST: the lease is extended, and then what the answer brought is merged. */
inline renewed_extend(n) { d_step { node[n].phase == ANSWERED -> extend(n); node[n].phase = EXTENDED } }
inline renewed_merge(n) { d_step { node[n].phase == EXTENDED -> merge(n); idle(n) } }

/*
 * LiveSetLoad: a page; after the last one the node stands where the load began, and renews. Mutant SNAPSHOT_ONLY: it
 * subscribes then, stands at the head of then, and has a lease.
 */
inline read_page(n, t) {
    d_step { node[n].phase == LOADING && (node[n].pages & bit_of(t)) ->
        learn(n, redis[here(n)].live & bit_of(t));
        node[n].pages = node[n].pages & ~bit_of(t);
        if
        :: node[n].pages == 0 ->
            idle(n);
#ifdef SNAPSHOT_ONLY
            if
            :: node[n].epoch == redis[here(n)].epoch ->
                node[n].applied = redis[here(n)].seq; node[n].lease = LEASE;
                register(here(n), n, node[n].applied)
            :: else
            fi;
#endif
            skip
        :: else
        fi }
}

/*
 * Feed.received: any message that was ever published, at any time, any number of times, or never. Of another epoch than
 * the node's it only leads to a renewal. Mutants: ANY_HIGHER, a later one advances too; ANY_EPOCH, one of another epoch
 * does; HEARTBEAT, one extends the lease.
 */
#ifdef ANY_EPOCH
#define is_heard(n, e) (node[n].epoch != 0)
#else
#define is_heard(n, e) (node[n].epoch == e)
#endif
#ifdef ANY_HIGHER
#define is_next(n, s) (node[n].applied < s)
#else
#define is_next(n, s) (node[n].applied + 1 == s)
#endif
inline message(n, e, s) {
    d_step { entry(e, s) != 0 && is_heard(n, e) ->
        learn(n, entry(e, s));
        if
        :: is_position(n) && is_next(n, s) -> node[n].applied = s
        :: else
        fi;
#ifdef HEARTBEAT
        if
        :: is_position(n) && node[n].lease > 0 -> node[n].lease = LEASE
        :: else
        fi;
#endif
        skip }
}

/* The connection is lost, with what was asked on it; the next one leads to any process that serves. */
inline reconnect(n, r) {
    d_step { serving(r) && (node[n].phase != IDLE || node[n].link != r) ->
        if
        :: node[n].phase == LOADING -> detach(n)
        :: else -> idle(n)
        fi;
        node[n].link = r }
}

inline end_process(n) {
    detach(n); node[n].index = 0; node[n].lease = 0;
#ifdef DECISION
    node[n].decision = 0; node[n].held = 0;
#endif
#ifdef CLOCK
    node[n].believed = 0; node[n].seen = 0;
#endif
#ifdef TIMER_FLAG
    node[n].flag = 0;
#endif
#ifdef ACK_WITHOUT_EPOCH
    node[n].acked = 0;
#endif
    skip
}

/* The process ends, and another takes its place with an empty index. The registry keeps the entry. */
inline restart(n) { d_step { node[n].epoch != 0 || node[n].index != 0 -> end_process(n) } }

/* FeedFollower.leave: the lease is dropped, then the entry is deleted. Mutant LEAVES_FIRST: the entry first. */
inline leave(n) {
    d_step { redis[here(n)].nodes & bit_of(n) ->
        unregister(here(n), n);
#ifndef LEAVES_FIRST
        end_process(n)
#endif
        }
}

#ifdef DECISION
/*
 * Validator.validate: the lease as it is, then the look-up, then a fresh clock and both leases. Mutants: LEASE_FIRST,
 * the lease was checked before the look-up; LEASE_FRESH_ONLY, only the lease of the end is checked. Limit OVERLAP: what
 * was in flight when confirm returned counts as accepted after it.
 */
inline decide(n) {
    d_step { node[n].decision == 0 && node[n].lease > 0 -> node[n].decision = 1; node[n].held = node[n].lease }
}
inline look_up(n) {
    d_step { node[n].decision == 1 ->
        node[n].decision = (node[n].index & 1 -> 0 : 2);
        node[n].held = (node[n].decision == 0 -> 0 : node[n].held) }
}
#if defined(LEASE_FIRST)
#define may_accept(n) true
#elif defined(LEASE_FRESH_ONLY)
#define may_accept(n) (node[n].lease > 0)
#else
#define may_accept(n) (node[n].lease > 0 && node[n].held > 0)
#endif
inline answer(n) {
    d_step { node[n].decision == 2 ->
        if
        :: watches(6) && may_accept(n) && token[0].age > BOUND -> assert(S6)
#ifdef OVERLAP
        :: may_accept(n) && token[0].state == CONFIRMED -> assert(S1)
#endif
        :: else
        fi;
        node[n].decision = 0; node[n].held = 0 }
}
#endif

/* Mutant TIMER_FLAG: a lease is a flag, which a timer takes down when the loop comes to it. */
#ifdef TIMER_FLAG
inline end_lease(n) { d_step { node[n].flag && node[n].lease == 0 -> node[n].flag = 0 } }
#define holds(n) node[n].flag
#else
#define holds(n) (node[n].lease > 0)
#endif

#ifdef CLOCK
/* RevocationIndex.Writer.expire: by a clock that is believed. */
inline expire(n) {
    d_step { node[n].believed == civil + 1 && civil && !(node[n].seen && node[n].index == 0) ->
        node[n].seen = 1; node[n].index = 0 }
}

/*
 * FeedFollower.inspected, ClockAgreement.compared. Clocks that agree where they did not, or not at this time: the lease is
 * dropped, the greatest time is discarded, and the node stands nowhere. Mutants: KEEPS_LEASE, KEEPS_POSITION, it is not
 * and it does not.
 */
#define agreement (civil == redis_civil -> civil + 1 : 0)
inline compare(n) {
    d_step { node[n].believed != agreement ->
#ifndef KEEPS_LEASE
        node[n].lease = 0;
#endif
        node[n].believed = agreement;
        if
        :: node[n].phase == LOADING -> detach(n)
        :: else -> idle(n)
        fi;
        if
        :: node[n].believed != 0 ->
            corrected = corrected | node[n].seen;
            node[n].seen = 0;
#ifndef KEEPS_POSITION
            detach(n)
#endif
        :: else
        fi }
}

/*
 * Validator.validate: what had expired by the greatest time is not accepted. That nothing is judged by a clock that was
 * set since the grant is left out: S1 holds without it.
 */
#define is_in_time(n) (!civil && !node[n].seen)
#else
#define is_in_time(n) true
#endif
#define accepts(n, t) (holds(n) && is_in_time(n) && !(node[n].index & bit_of(t)))

proctype Validating(byte n) {
    do
    :: renew_elsewhere(n)
#if COMMITS > 1
    :: renew_in_part(n)
#endif
    :: renew_granted(n)
#ifdef AT_ONCE
#elif defined(EXTEND_FIRST)
    :: renewed_extend(n)
    :: renewed_merge(n)
#else
    :: renewed(n)
#endif
    :: read_page(n, 0)
#ifndef AT_ONCE
    :: message(n, 1, 1)
    :: message(n, 2, 1)
#endif
#if COMMITS > 1
    :: read_page(n, 1)
    :: message(n, 1, 2)
    :: message(n, 2, 2)
#endif
#if EPOCHS > 2 && !defined(AT_ONCE)
    :: message(n, 3, 1)
#endif
    :: reconnect(n, master)
#if FAILOVERS > 0
    :: reconnect(n, 1 - master)
#endif
    :: restart(n)
#ifndef AT_ONCE
    :: leave(n)
#endif
#ifdef DECISION
    :: decide(n)
    :: look_up(n)
    :: answer(n)
#endif
#ifdef CLOCK
    :: expire(n)
    :: compare(n)
#endif
#ifdef TIMER_FLAG
    :: end_lease(n)
#endif
    od
}

/* ---- Steps of an issuer ---- */
#define lives(i) (!(dead & bit_of(i)))
#define own(i, t) (token[t].owner == i && token[t].state != NONE)
#define acts_at(i, r) (lives(i) && serving(r) && redis[r].epoch != 0 && redis[r].epoch == issuer[i].view)

/* Mutant TWO_VIEWS: commits and confirmations go on in an epoch that the recovery run has left. */
#ifdef TWO_VIEWS
#define commits_at(i, r) (lives(i) && serving(r) && redis[r].epoch != 0)
#else
#define commits_at(i, r) acts_at(i, r)
#endif

/* Nothing of another epoch counts any more, and neither does what a process forgot. */
inline forget(i) {
    issuer[i].todo = 0;
#if ISSUING > 1
    issuer[i].got = 0; issuer[i].heard = 0; issuer[i].synced = 0;
#endif
    if
    :: own(i, 0) && token[0].state == STORED ->
        token[0].state = DURABLE; token[0].seq = 0; token[0].pending = 0; token[0].timer = 0; token[0].holders = 0
    :: else
    fi
}

inline stored(i, r) {
    token[0].state = STORED; token[0].seq = redis[r].seq; token[0].pending = redis[r].nodes;
    token[0].timer = 0; token[0].holders = bit_of(i)
}

/* A revocation is asked for: appended to the outbox, fsync. */
inline append(i, t) {
    d_step { i == 0 && lives(i) && token[t].state == NONE ->
        token[t].state = DURABLE; token[t].owner = i; issuer[i].outbox = issuer[i].outbox | bit_of(t) }
}

/* RevocationPublisher.publish, script revoke. The answer arrives, with the registry; or it does not. */
#define lacks(i, r, t) (own(i, t) && token[t].state == DURABLE && !(redis[r].live & bit_of(t)) && \
    redis[r].seq < COMMITS)
inline revoke(i, r) { d_step { commits_at(i, r) && lacks(i, r, 0) -> commit(r, 0); stored(i, r) } }
inline revoke_unanswered(i, r, t) { d_step { commits_at(i, r) && lacks(i, r, t) -> commit(r, t) } }

/* An unknown outcome is cleared up: it is in the live set, at the head or below. */
inline find(i, r) {
    d_step { commits_at(i, r) && own(i, 0) && token[0].state == DURABLE && (redis[r].live & 1) -> stored(i, r) }
}

/*
 * Acknowledgements and the registry: who stated the sequence, and who left. Mutant ACK_WITHOUT_EPOCH: what was
 * acknowledged in any epoch counts.
 */
#ifdef ACK_WITHOUT_EPOCH
#define has_stated(r, n) (redis[r].stated[n] >= token[0].seq || node[n].acked >= token[0].seq)
#else
#define has_stated(r, n) (redis[r].stated[n] >= token[0].seq)
#endif
inline hear(i, r) {
    d_step { commits_at(i, r) && own(i, 0) && token[0].state == STORED ->
        n_ = 0;
        do
        :: n_ < NODES ->
            if
            :: !(redis[r].nodes & bit_of(n_)) -> token[0].pending = token[0].pending & ~bit_of(n_)
            :: (redis[r].nodes & bit_of(n_)) && has_stated(r, n_) ->
                token[0].pending = token[0].pending & ~bit_of(n_);
#if ISSUING > 1
                token[0].holders = token[0].holders | (n_ == FOLLOWER -> bit_of(1) : 0)
#endif
            :: else
            fi;
            n_++
        :: else -> break
        od;
        n_ = 0 }
}

/*
 * Confirmations.received: nobody is left whose lease has not ended, and Redis, asked then, is still in the epoch. Mutants
 * NO_QUESTION: it is not asked, and the issuer knows of no later epoch; IGNORES_SILENT: who has not answered does not
 * count.
 */
#ifdef NO_QUESTION
#define is_still_in(i, r) lives(i)
#else
#define is_still_in(i, r) commits_at(i, r)
#endif
#ifdef IGNORES_SILENT
#define is_done(i) true
#else
#define is_done(i) (token[0].pending == 0 || token[0].timer >= WAIT)
#endif
inline confirm(i, r) {
    d_step { own(i, 0) && token[0].state == STORED && is_still_in(i, r) && issuer[i].seen >= RECOVERY &&
        is_done(i) ->
        witness(CONFIRMS_BY_REGISTRY, token[0].timer < WAIT && redis[r].nodes != 0);
        witness(CONFIRMS_BY_TIME, token[0].pending != 0);
        witness(CONFIRMS_AFTER_RECOVERY, issuer[i].view > 1);
        token[0].state = CONFIRMED; token[0].seq = 0; token[0].pending = 0; token[0].timer = 0 }
}

/*
 * FeedWriter.begun: an epoch that was left is never entered again, and the outbox remembers it; and none is entered
 * within a fence after another was, for it may be that of a deposed master that still serves. Mutants RETURNS: an epoch
 * that was left is entered; FLIPS: one is entered within the fence.
 */
#ifdef RETURNS
#define was_left(i, r) false
#else
#define was_left(i, r) (issuer[i].entered & bit_of(redis[r].epoch))
#endif
#ifdef FLIPS
#define is_steady(i) true
#else
#define is_steady(i) (issuer[i].view == 0 || issuer[i].seen >= FENCE)
#endif
#define may_enter(i, r) (lives(i) && serving(r) && !was_left(i, r) && is_steady(i))
inline enter(i, r) {
    forget(i);
    issuer[i].view = redis[r].epoch; issuer[i].entered = issuer[i].entered | bit_of(redis[r].epoch);
    issuer[i].seen = 0; issuer[i].phase = BEGUN
}

/* Script begin: where no epoch exists, or into the one that exists. */
inline begin(i, r) {
    d_step { redis[r].epoch == 0 && may_enter(i, r) && nonces < EPOCHS ->
        nonces++; redis[r].epoch = nonces; redis[r].first = 1;
        enter(i, r) }
}
inline join(i, r) {
    d_step { redis[r].epoch != 0 && redis[r].epoch != issuer[i].view && may_enter(i, r) -> enter(i, r) }
}

/* The live set is read, and then what it lacks is committed. Mutant NO_REPLAY: nothing is. */
inline read_live_set(i, r) {
    d_step { acts_at(i, r) && issuer[i].phase == BEGUN ->
#ifndef NO_REPLAY
        issuer[i].todo = issuer[i].outbox & ~redis[r].live;
#endif
        issuer[i].phase = READ;
#ifdef AT_ONCE
        if
        :: issuer[i].todo -> commit(r, 0); issuer[i].todo = 0
        :: else
        fi
#endif
        }
}
inline replay(i, r, t) {
    d_step { acts_at(i, r) && (issuer[i].todo & bit_of(t)) && redis[r].seq < COMMITS ->
        issuer[i].todo = issuer[i].todo & ~bit_of(t);
        if
        :: redis[r].live & bit_of(t)
        :: else -> commit(r, t)
        fi }
}

/*
 * Script restored: the epoch opens when everybody who is not excused has said so. Mutants: ONE_MISSING, one is enough;
 * EXCUSE_STICKS, an excuse holds for later epochs too. Limit UNMIRRORED: what was confirmed counts even if all who had
 * it are excused.
 */
#if defined(ONE_MISSING)
#define is_complete(r) (redis[r].declared != 0)
#elif defined(EXCUSE_STICKS)
#define is_complete(r) ((ALL_ISSUERS & ~redis[r].declared & ~sticky) == 0)
#else
#define is_complete(r) ((ALL_ISSUERS & ~redis[r].declared & ~redis[r].excused) == 0)
#endif
#ifdef UNMIRRORED
#define is_excused(r) false
#else
#define is_excused(r) ((token[0].holders & ~redis[r].excused) == 0)
#endif
inline restored(i, r) {
    d_step { acts_at(i, r) && issuer[i].phase != BEGUN && issuer[i].todo == 0 && !redis[r].open &&
        (issuer[i].phase == READ || redis[r].excused != 0) ->
        redis[r].declared = redis[r].declared | bit_of(i);
        issuer[i].phase = IDLE;
        if
        :: is_complete(r) ->
            if
            :: token[0].state == CONFIRMED && !(redis[r].live & 1) && is_excused(r) -> token[0].lost = 1
            :: watches(5) && token[0].state == CONFIRMED && !(redis[r].live & 1) && !is_excused(r) &&
                !token[0].lost -> assert(S5)
            :: else
            fi;
            witness(OPENS_WITH_ALL, redis[r].seq > 0 && token[0].state == CONFIRMED && redis[r].excused == 0);
            witness(OPENS_WITH_EXCUSE, redis[r].seq > 0 && token[0].state == CONFIRMED && dead == bit_of(0));
            redis[r].open = 1; base[redis[r].epoch] = redis[r].live;
            redis[r].declared = 0; redis[r].excused = 0
        :: else
        fi }
}

/* With an open epoch the same run just commits what is missing. */
inline caught_up(i, r) {
    d_step { acts_at(i, r) && issuer[i].phase == READ && issuer[i].todo == 0 && redis[r].open ->
        issuer[i].phase = IDLE }
}

/* Killed, and started again. */
inline crash(i) {
    d_step { lives(i) ->
        forget(i);
        issuer[i].phase = (issuer[i].phase == READ -> BEGUN : issuer[i].phase) }
}

/* NodeRegistry: an entry whose lease the issuer measured as ended is deleted. Mutant REDIS_CLOCK: by Redis's clock. */
#ifdef REDIS_CLOCK
#define is_over(n) true
#else
#define is_over(n) (redis[master].granted[n] >= WAIT)
#endif
inline forget_node(n) { d_step { (redis[master].nodes & bit_of(n)) && is_over(n) -> unregister(master, n) } }

#if ISSUING > 1
/*
 * The follower loads or renews, and hears of all that it lacks; positions are kept one higher, 0 is none. It states
 * what is on disk. Mutant MIRROR_EARLY: what it heard.
 */
#ifdef MIRROR_EARLY
#define position(i) issuer[i].heard
#else
#define position(i) issuer[i].synced
#endif
inline mirror(i, r) {
    d_step { i == 1 && acts_at(i, r) && redis[r].open && issuer[i].phase == IDLE ->
        if
        :: position(i) > 0 -> register(r, FOLLOWER, position(i) - 1)
        :: else
        fi;
        issuer[i].got = redis[r].live & ~issuer[i].outbox; issuer[i].heard = redis[r].seq + 1;
        issuer[i].synced = (issuer[i].got == 0 -> issuer[i].heard : issuer[i].synced) }
}
inline fsync(i) {
    d_step { lives(i) && issuer[i].got != 0 ->
        issuer[i].outbox = issuer[i].outbox | issuer[i].got; issuer[i].got = 0; issuer[i].synced = issuer[i].heard }
}

/*
 * Its disk is gone, and so is the issuer. Limit FRESH_DISK: it starts again, with an empty outbox, as if that were all
 * that it had ever had.
 */
inline lose_disk(i) {
    d_step { dead == 0 ->
        forget(i);
        issuer[i].outbox = 0; issuer[i].entered = 0; issuer[i].seen = 0;
#ifdef FRESH_DISK
        issuer[i].phase = BEGUN
#else
        issuer[i].phase = IDLE; issuer[i].view = 0; dead = bit_of(i)
#endif
        }
}

/*
 * FeedWriter.excuse: the operator excuses an issuer from the epoch that is being restored: it will not come back, or so it seems. It
 * counts a fence after another issuer entered the epoch, for the one that is excused may be at the old master yet.
 * Mutant EXCUSED_EARLY: at once.
 */
#ifdef EXCUSED_EARLY
#define is_late_enough(i) true
#else
#define is_late_enough(i) (issuer[1 - (i)].view == redis[master].epoch && issuer[1 - (i)].seen >= FENCE)
#endif
inline excuse(i) {
    d_step { redis[master].epoch != 0 && !redis[master].open && !(redis[master].excused & bit_of(i)) &&
        is_late_enough(i) ->
        redis[master].excused = redis[master].excused | bit_of(i);
#ifdef EXCUSE_STICKS
        sticky = sticky | bit_of(i)
#endif
        }
}
#endif

#define steps_at(i, r) \
    :: revoke(i, r) \
    :: revoke_unanswered(i, r, 0) \
    :: find(i, r) \
    :: hear(i, r) \
    :: confirm(i, r) \
    :: begin(i, r) \
    :: join(i, r) \
    :: read_live_set(i, r) \
    :: restored(i, r) \
    :: caught_up(i, r)

proctype Issuing(byte i) {
    do
    :: append(i, 0)
    :: crash(i)
    steps_at(i, 0)
#if FAILOVERS > 0
    steps_at(i, 1)
#endif
#ifndef AT_ONCE
    :: replay(i, 0, 0)
#if FAILOVERS > 0
    :: replay(i, 1, 0)
#endif
#endif
#if TOKENS > 1
    :: append(i, 1)
    :: revoke_unanswered(i, 0, 1)
    :: revoke_unanswered(i, 1, 1)
    :: replay(i, 0, 1)
    :: replay(i, 1, 1)
#endif
#if ISSUING > 1
    :: mirror(i, 0)
#if FAILOVERS > 0
    :: mirror(i, 1)
#endif
    :: fsync(i)
    :: lose_disk(i)
    :: excuse(i)
#endif
#ifdef FLEET
    :: forget_node(0)
    :: forget_node(1)
#endif
    od
}

/* ---- Time: may pass whenever it likes, for all at once ---- */
#ifdef DECISION
#define runs(n, slow) (n != slow)
#else
#define runs(n, slow) true
#endif
#define down(x) (x > 0 -> x - 1 : 0)
#define up(x, limit) (x < limit -> x + 1 : x)

inline pass_nodes(slow) {
    n_ = 0;
    do
    :: n_ < VALIDATORS ->
        if
        :: runs(n_, slow) ->
            node[n_].lease = down(node[n_].lease);
#ifdef DECISION
            node[n_].held = down(node[n_].held);
#endif
#ifdef DECISION
            node[n_].steady = down(node[n_].steady);
#endif
            node[n_].since = (node[n_].phase == IDLE || node[n_].phase == LOADING -> 0 : up(node[n_].since, LEASE))
#ifdef DECISION
        :: else -> node[n_].steady = LEASE
#endif
        fi;
        n_++
    :: else -> break
    od;
    n_ = 0
}

/* Issuers whose time in an epoch decides anything. */
#if FENCE > 0
#define COUNTED ISSUING
#else
#define COUNTED 1
#endif
inline pass_issuers() {
    i_ = 0;
    do
    :: i_ < ISSUING ->
        issuer[i_].seen = (issuer[i_].view == 0 || i_ >= COUNTED -> 0 : up(issuer[i_].seen, SETTLED));
        i_++
    :: else -> break
    od;
    i_ = 0;
    token[0].timer = (token[0].state == STORED -> up(token[0].timer, WAIT) : 0);
    token[0].age = (token[0].age == 0 -> 0 : up(token[0].age, BOUND + 1))
}

/*
 * The deposed master refuses to write from here on; who was connected to it notices. It never serves its epoch again,
 * because `master_replid` is another after its next start or promotion; so nothing of it is kept. Mutant
 * RUN_ID_FOR_TERM: `run_id` is taken for the term of a master, and it may be promoted again as the same process.
 */
inline fence_off(r) {
#ifndef RUN_ID_FOR_TERM
    end_epoch(r);
    redis[r].live = 0;
#endif
    n_ = 0;
    do
    :: n_ < VALIDATORS ->
        if
        :: node[n_].link == r && node[n_].phase == LOADING -> detach(n_)
        :: else
        fi;
        node[n_].link = master;
        n_++
    :: else -> break
    od;
    n_ = 0
}

inline pass(slow) {
    pass_nodes(slow);
    pass_issuers();
#ifdef FLEET
    n_ = 0;
    do
    :: n_ < NODES ->
        redis[master].granted[n_] =
            (redis[master].nodes & bit_of(n_) -> up(redis[master].granted[n_], WAIT) : 0);
        n_++
    :: else -> break
    od;
    n_ = 0;
#endif
#if FAILOVERS > 0 && !defined(NO_FENCE)
    if
    :: fence > 0 ->
        fence--;
        if
        :: fence == 0 -> fence_off(1 - master)
        :: else
        fi
    :: else
    fi
#else
    skip
#endif
}

proctype Time() {
    do
    :: d_step { true -> pass(255) }
#ifdef DECISION
    :: d_step { node[0].steady == 0 -> pass(0) }
#endif
    od
}

/* ---- What may happen to Redis ---- */

/* Restart or loss of data: of the live set any part stays, and the epoch does not. Mutant NO_NONCE: it does. */
inline lose(part) {
    d_step { redis[master].epoch != 0 && nonces < EPOCHS ->
        redis[master].live = redis[master].live & part;
#ifdef NO_NONCE
        redis[master].seq = 0; redis[master].first = 1; clear_registry(master)
#else
        end_epoch(master)
#endif
        }
}

/*
 * A replica that lacks any part becomes the master. Mutant NO_TERM: the epoch goes on there. Mutant NO_FENCE: the
 * deposed one serves for ever.
 */
inline promote(part) {
    d_step { failovers < FAILOVERS && fence == 0 && nonces < EPOCHS ->
        failovers++; fence = FENCE;
        redis[1 - master].live = redis[master].live & part;
#ifdef NO_TERM
        redis[1 - master].epoch = redis[master].epoch; redis[1 - master].open = redis[master].open;
        redis[1 - master].seq = (part -> redis[master].seq : 0); redis[1 - master].first = 1;
#endif
        master = 1 - master }
}

/* Of the mutant RUN_ID_FOR_TERM. */
inline promote_again() {
    d_step { fence == 0 && redis[1 - master].epoch != 0 ->
        end_epoch(master); redis[master].live = 0; master = 1 - master }
}

inline trim() {
    d_step { redis[master].open && redis[master].first <= redis[master].seq -> redis[master].first++ }
}

#ifdef CLOCK
inline set_clock() { d_step { true -> civil = 1 - civil } }
inline set_redis_clock() { d_step { true -> redis_civil = 1 - redis_civil } }
#endif

/* Of the mutant OUTBOX_FORGETS: an issuer lets go of what has expired by a clock that nobody has compared. */
inline forget_expired() { d_step { issuer[0].outbox != 0 -> issuer[0].outbox = 0 } }

proctype Happening() {
    do
    :: lose(0)
    :: lose(1)
#if TOKENS > 1
    :: lose(2)
    :: lose(3)
    :: trim()
#endif
#if FAILOVERS > 0
    :: promote(0)
    :: promote(1)
#endif
#ifdef RUN_ID_FOR_TERM
    :: promote_again()
#endif
#ifdef CLOCK
    :: set_clock()
    :: set_redis_clock()
#endif
#ifdef OUTBOX_FORGETS
    :: forget_expired()
#endif
    od
}

/* ---- Properties of every state ---- */
#define is_promised (token[0].state == CONFIRMED && !token[0].lost)

/* What an excused issuer alone had is lost, and S6 says nothing of it: it is for the searches with one issuer. */
#define is_stale (ISSUING == 1 && token[0].age > BOUND)
/* Of an epoch that is over a position says nothing, and the next renewal finds out. */
#define exists(e) (e != 0 && (redis[0].epoch == e || redis[1].epoch == e))
#define has_hole(n) (is_position(n) && exists(node[n].epoch) && !is_dropped(n) && \
    (covered(n, node[n].applied) & ~node[n].index))
#ifdef CLOCK
#define watch_clock(n) \
    :: d_step { SHOW == SERVES_AFTER_A_WRONG_CLOCK && corrected && accepts(n, 0) && token[0].state == NONE -> \
        assert(WITNESS) }
#else
#define watch_clock(n)
#endif
#define watch(n) \
    :: d_step { watches(1) && is_promised && accepts(n, 0) -> assert(S1) } \
    :: d_step { watches(6) && is_stale && accepts(n, 0) -> assert(S6) } \
    :: d_step { watches(3) && has_hole(n) -> assert(S3) } \
    :: d_step { SHOW == ACCEPTS_AFTER_RECOVERY && node[n].epoch > 1 && accepts(n, 0) && token[0].state == NONE && \
        node[n].epoch == redis[master].epoch -> assert(WITNESS) } \
    watch_clock(n)

proctype Watching() {
    do
    watch(0)
#if VALIDATORS > 1
    watch(1)
#endif
    od
}

init {
    atomic {
        redis[0].epoch = 1; redis[0].open = 1; redis[0].first = 1; nonces = 1;
        i_ = 0;
        do
        :: i_ < ISSUING ->
            issuer[i_].view = 1; issuer[i_].entered = bit_of(1); issuer[i_].seen = (i_ >= COUNTED -> 0 : SETTLED); i_++
        :: else -> break
        od;
        i_ = 0;
        run Watching();
        run Validating(0);
#if VALIDATORS > 1
        run Validating(1);
#endif
        run Issuing(0);
#if ISSUING > 1
        run Issuing(1);
#endif
        run Time();
        run Happening()
    }
}
