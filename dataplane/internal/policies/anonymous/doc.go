// Package anonymous is the stage of the kind "anonymous": who shows no credential is one consumer.
//
// It runs behind all other stages that authenticate, and only when none of them has found its credential. If one looked for any, a
// request that shows something else in Authorization is refused: it isn't anonymous, and nobody here can tell what it is worth. The consumer's
// state and the blocks on them hold as they do for others.
//
// It owns nothing but that. Who the consumer is, the directory knows.
package anonymous
