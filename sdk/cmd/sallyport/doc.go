// Command sallyport is the command line of Sallyport's admin API: it reads and writes objects as JSON, and
// adds nothing to what the API says. For who moves here it reads the exports of other gateways, and sends of their keys the digests alone.
//
// It owns the reading of arguments and the printing of answers; what is sent goes through package
// sallyport. Answers go to standard output; to standard error, how many nodes have a write, problems with exit
// status 1, and wrong usage with 2.
package main
