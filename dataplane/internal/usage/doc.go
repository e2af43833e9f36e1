// Package usage counts what a node answered, and sends the counts back.
//
// It owns the counters per (minute, route, consumer, status class, verdict), the counts per credential, what is told of single
// requests, the batches made of them, and their way to JetStream: one batch is under way at a time, under a number that
// names it for ever, and is kept and sent again until the bus says that it is stored. It does not own the files (spool does), nor the
// connection, which a Publisher hides, nor what the counts are used for.
//
// Data flows: Finish of an exchange → Recorder.Record → the spool's ring → ten times a second the Ledger's keeper → the book of
// this boot, in the spool's journal first → batch, in the journal first → Publisher. A process that dies leaves its ring and its
// journal; the next one takes up what they hold and sends it under the boot and the numbers that it had.
//
// Where many call, nearly each request is a counter of its own, so what is done for each counter is kept cheap: counts lie one behind the
// other in tables that are filled, walked and emptied without an allocation (table), and are written into entries and batches as
// protobuf's encoder would write them, without a message for each (wire). A batch takes those that came first. The journal is begun
// anew when that is next to nothing, which is right after all was sent, else when it is large. What reads a journal believes
// nothing: it goes through protobuf's decoder, and takes counters in any order.
//
// Two processes of a node may count at the same time, while one takes over from the other: each has a folder that is locked as long as it lives,
// and the one that stays looks every ten seconds for what the other left.
//
// What is counted is what was answered: a request is recorded before the last byte of its answer is sent. If the process is
// killed, each answer that a client had whole counts once; of those that were on their way at that moment some count, and their
// clients may have seen them broken. Never less than what was seen, and never more than that and what was on its way. Single
// requests wait in memory for the keeper: a kill costs those of the last tenth of a second, never their counts.
//
// Of single requests those that were refused are told of, those that the gateway has sampled, some that a policy in shadow would
// have refused, and of a credential that is watched the first in a while from each address, each as far as there is room ([Recorder.HasRoom]). How they were decided the gateway tells ([Teller]): neither queries nor the
// values of headers, but for two in which no key can be, and whatever has the form of a key is masked ([Cut]).
//
// A node that starts from a snapshot file counts before it has a name ([Ledger.Join]). Its batches are named after it, so none is made
// until then; what it counted, in this boot and in earlier ones that ended without a name, waits on the disk and is its own by
// whatever name it gets. What was counted under another name never is.
//
// Where the disk takes nothing, and where the ring is full because it is slow, requests are counted in memory, and a metric says so.
//
// Two bounds give detail up, and counts and consumers never. Of a minute that has too many counters new ones lose the code of their
// rejection, then their route. When the bus is away for long counts fold into hours and days, and then lose the same.
package usage
