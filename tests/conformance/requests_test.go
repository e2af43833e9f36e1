package conformance

import (
	"fmt"
	"strings"
	"testing"
)

const (
	hostLine  = "Host: " + host + "\r\n"
	post      = "POST " + own + " HTTP/1.1\r\n" + hostLine
	get       = "GET " + own + " HTTP/1.1\r\n" + hostLine
	evilGet   = "GET " + evil + " HTTP/1.1\r\n" + hostLine + "\r\n"
	chunkedTE = "Transfer-Encoding: chunked\r\n"
)

// withLength is a body behind its length.
func withLength(body string) string {
	return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}

// chunk is data as one chunk.
func chunk(data string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(data), data) }

// refuse is an attack that is answered so, and of which nothing reaches the service.
func refuse(name, wire, status string) attack {
	return attack{name: name, wire: wire, answers: []string{status}, reach: []string{}}
}

// decline is an attack that is answered so, and may leave the connection as it is.
func decline(name, wire, status string) attack {
	return attack{name: name, wire: wire, answers: []string{status}, reach: []string{}, stays: true}
}

// serve is a request that is served, and reaches the service so.
func serve(name, wire, reach string) attack {
	return attack{name: name, wire: wire, answers: []string{"200"}, reach: []string{reach}}
}

// The classes of the literature, by the names that they have there: who sees which length.
func TestNoRequestIsSmuggledInABody(t *testing.T) {
	t.Parallel()
	withstands(t, inEveryWay([]attack{
		refuse("CL.TE", post+"Content-Length: 6\r\n"+chunkedTE+"\r\n0\r\n\r\nG", bad),
		refuse("CL.TE with a request", post+fmt.Sprintf("Content-Length: %d\r\n", 5+len(evilGet))+chunkedTE+"\r\n0\r\n\r\n"+evilGet, bad),
		refuse("TE.CL", post+chunkedTE+"Content-Length: 4\r\n\r\n"+chunk(evilGet)+"0\r\n\r\n", bad),
		refuse("TE.CL, both of nothing", post+chunkedTE+"Content-Length: 0\r\n\r\n0\r\n\r\n", bad),
		refuse("CL.CL", post+"Content-Length: 0\r\n"+withLength(evilGet), bad),
		refuse("CL.CL, the same", post+"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", bad),
		refuse("CL.CL in a list", post+"Content-Length: 5, 5\r\n\r\nhello", bad),
		refuse("CL.CL in another list", post+"Content-Length: 0,47\r\n\r\n"+evilGet, bad),
		refuse("TE.TE, known and unknown", post+chunkedTE+"Transfer-Encoding: x\r\n\r\n0\r\n\r\n", unknown),
		refuse("TE.TE, unknown and known", post+"Transfer-Encoding: x\r\n"+chunkedTE+"\r\n0\r\n\r\n", unknown),
		refuse("TE.TE, twice", post+chunkedTE+chunkedTE+"\r\n0\r\n\r\n", unknown),
		refuse("TE in 1.0", "POST "+own+" HTTP/1.0\r\n"+hostLine+chunkedTE+"\r\n0\r\n\r\n", bad),
		refuse("TE and CL in 1.0", "POST "+own+" HTTP/1.0\r\n"+hostLine+chunkedTE+"Content-Length: 5\r\n\r\n0\r\n\r\n", bad),

		serve("CL.0, POST", post+withLength(evilGet), "POST "+own+" "+evilGet),
		serve("CL.0, GET", get+withLength(evilGet), "GET "+own+" "+evilGet),
		serve("CL.0, HEAD", "HEAD "+own+" HTTP/1.1\r\n"+hostLine+withLength(evilGet), "HEAD "+own+" "+evilGet),
		serve("CL.0, DELETE", "DELETE "+own+" HTTP/1.1\r\n"+hostLine+withLength(evilGet), "DELETE "+own+" "+evilGet),
		serve("CL.0, OPTIONS", "OPTIONS "+own+" HTTP/1.1\r\n"+hostLine+withLength(evilGet), "OPTIONS "+own+" "+evilGet),
		serve("CL.0, a method of its own", "BREW "+own+" HTTP/1.1\r\n"+hostLine+withLength(evilGet), "BREW "+own+" "+evilGet),
		serve("TE.0, POST", post+chunkedTE+"\r\n"+chunk(evilGet)+"0\r\n\r\n", "POST "+own+" "+evilGet),
		serve("TE.0, GET", get+chunkedTE+"\r\n"+chunk(evilGet)+"0\r\n\r\n", "GET "+own+" "+evilGet),
		serve("TE.0, OPTIONS", "OPTIONS "+own+" HTTP/1.1\r\n"+hostLine+chunkedTE+"\r\n"+chunk(evilGet)+"0\r\n\r\n", "OPTIONS "+own+" "+evilGet),
		serve("TE.0, HEAD", "HEAD "+own+" HTTP/1.1\r\n"+hostLine+chunkedTE+"\r\n"+chunk(evilGet)+"0\r\n\r\n", "HEAD "+own+" "+evilGet),
		serve("a body of chunks in a body of a length", post+withLength("0\r\n\r\n"+evilGet), "POST "+own+" 0\r\n\r\n"+evilGet),
		serve("Connection names the length", post+"Connection: Content-Length\r\n"+withLength(evilGet), "POST "+own+" "+evilGet),
		serve("Connection names the coding", post+"Connection: Transfer-Encoding\r\n"+chunkedTE+"\r\n"+chunk(evilGet)+"0\r\n\r\n", "POST "+own+" "+evilGet),
		serve("Connection names Host", get+"Connection: Host, keep-alive\r\n\r\n", "GET "+own+" "),
		serve("Trailer announces a length", post+"Trailer: Content-Length\r\n"+chunkedTE+"\r\n0\r\n\r\n", "POST "+own+" "),
		serve("TE says chunked", get+"TE: chunked\r\n\r\n", "GET "+own+" "),

		// Not an attack: one request behind another one, as pipelining has it. They are told apart as their lengths say, or 0.CL is.
		{name: "0.CL, pipelined", wire: post + "Content-Length: 0\r\n\r\n" + get + "\r\n", answers: []string{"200", "200"}, reach: []string{"POST " + own + " ", "GET " + own + " "}},
		{name: "pipelined behind chunks", wire: post + chunkedTE + "\r\n" + chunk("x") + "0\r\n\r\n" + get + "\r\n", answers: []string{"200", "200"}, reach: []string{"POST " + own + " x", "GET " + own + " "}},
		{name: "an empty line between", wire: post + withLength("x") + "\r\n" + get + "\r\n", answers: []string{"200", "200"}, reach: []string{"POST " + own + " x", "GET " + own + " "}},
		{name: "five pipelined", wire: strings.Repeat(get+"\r\n", 5), answers: []string{"200", "200", "200", "200", "200"}},
		{name: "a bad one pipelined", wire: get + "\r\n" + post + chunkedTE + "Content-Length: 3\r\n\r\n" + evilGet, answers: []string{"200", bad}, reach: []string{"GET " + own + " "}},
		{name: "one behind the last", wire: get + "Connection: close\r\n\r\n" + evilGet, answers: []string{"200"}, reach: []string{"GET " + own + " "}, incomplete: true},
		{name: "a body shorter than said", wire: post + "Content-Length: 100\r\n\r\n" + evilGet, answers: []string{cut}, reach: []string{}, incomplete: true},
		{name: "a body much shorter than said", wire: post + "Content-Length: 999999999999999999\r\n\r\n" + evilGet, answers: []string{cut + "|413"}, reach: []string{}, incomplete: true},
		{name: "chunks without an end", wire: post + chunkedTE + "\r\n" + chunk(evilGet), answers: []string{cut}, reach: []string{}, incomplete: true},
		{name: "chunks with half an end", wire: post + chunkedTE + "\r\n" + chunk(evilGet) + "0\r\n", answers: []string{cut}, reach: []string{}, incomplete: true},
		{name: "half a head", wire: get, answers: []string{cut}, reach: []string{}, incomplete: true},
		{name: "half a line", wire: "GET " + own, answers: []string{cut}, reach: []string{}, incomplete: true},
	}))
}

func TestChunksHaveOneReading(t *testing.T) {
	t.Parallel()
	body := func(name, chunks string) attack {
		return refuse(name, post+chunkedTE+"\r\n"+chunks, bad)
	}
	long := func(name, chunks string) attack {
		return refuse(name, post+chunkedTE+"\r\n"+chunks, "400|431")
	}
	attacks := []attack{
		serve("zeros before a size", post+chunkedTE+"\r\n0005\r\nhello\r\n000\r\n\r\n", "POST "+own+" hello"),
		serve("a size in capitals", post+chunkedTE+"\r\nA\r\n0123456789\r\n0\r\n\r\n", "POST "+own+" 0123456789"),
		serve("trailers", post+chunkedTE+"\r\n1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n", "POST "+own+" x X-Sum: 1"),

		body("LF behind a size", "5\nhello\r\n0\r\n\r\n"+evilGet),
		body("CR behind a size", "5\rhello\r\n0\r\n\r\n"+evilGet),
		body("CR CR LF behind a size", "5\r\r\nhello\r\n0\r\n\r\n"+evilGet),
		body("LF behind data", "5\r\nhello\n0\r\n\r\n"+evilGet),
		body("CR behind data", "5\r\nhello\r0\r\n\r\n"+evilGet),
		body("nothing behind data", "5\r\nhello0\r\n\r\n"+evilGet),
		body("two bytes behind data", "5\r\nhelloXX0\r\n\r\n"+evilGet),
		body("LF behind the last size", "0\n\r\n"+evilGet),
		body("LF as the end", "0\r\n\n"+evilGet),
		body("LF LF as the end", "0\n\n"+evilGet),
		body("CR as the end", "0\r\n\r"+evilGet),
		body("a request as the end", "0\r\n"+evilGet),
		body("an empty size", "\r\n"+evilGet),
		body("an extension", "5;a=b\r\nhello\r\n0\r\n\r\n"+evilGet),
		body("an extension without a name", "5;\r\nhello\r\n0\r\n\r\n"+evilGet),
		body("an extension with LF", "5;\nhello\r\n0\r\n\r\n"+evilGet),
		body("an extension with LF and a size", "2;\nxx\r\n"+fmt.Sprintf("%x", len(evilGet))+"\r\n0\r\n\r\n"+evilGet),
		body("an extension with CR", "5;a\rb\r\nhello\r\n0\r\n\r\n"+evilGet),
		body("a quoted extension", "5;a=\"b\"\r\nhello\r\n0\r\n\r\n"+evilGet),
		body("a quoted extension with CRLF", "5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n"+evilGet),
		body("an extension without an end", "5;a=\"hello\r\n0\r\n\r\n"+evilGet),
		body("an extension behind the last size", "0;a=b\r\n\r\n"+evilGet),
		body("an extension behind a space", "5 ;a=b\r\nhello\r\n0\r\n\r\n"+evilGet),
		body("a huge extension", "5;"+strings.Repeat("a", 100_000)+"\r\nhello\r\n0\r\n\r\n"),
		body("a huge size of zeros", strings.Repeat("0", 100_000)+"5\r\nhello\r\n0\r\n\r\n"),
		body("a size past 64 bits", "10000000000000005\r\nhello\r\n0\r\n\r\n"+evilGet),
		body("a size of all 64 bits", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n"+evilGet),
		body("a size past 63 bits", "8000000000000000\r\nhello\r\n0\r\n\r\n"+evilGet),
		body("a second chunk that is malformed", "5\r\nhello\r\nx\r\n\r\n"+evilGet),
		body("more data than said", "3\r\nhello\r\n0\r\n\r\n"+evilGet),

		body("a trailer without a name", "0\r\n: x\r\n\r\n"+evilGet),
		body("a trailer with a space before the colon", "0\r\nx : y\r\n\r\n"+evilGet),
		body("a trailer with a space in its name", "0\r\nx y: z\r\n\r\n"+evilGet),
		body("a folded trailer", "0\r\nx: y\r\n z\r\n\r\n"+evilGet),
		body("a trailer with LF", "0\r\nx: y\n\r\n"+evilGet),
		body("a trailer with LF LF", "0\r\nx: y\n\n"+evilGet),
		body("a trailer with CR", "0\r\nx: y\rz: w\r\n\r\n"+evilGet),
		body("a trailer with NUL", "0\r\nx: \x00\r\n\r\n"+evilGet),
		body("a trailer with a high byte in its name", "0\r\nx\xff: y\r\n\r\n"+evilGet),
		body("a trailer without a colon", "0\r\nGET "+evil+" HTTP/1.1\r\n\r\n"),
		long("a huge trailer", "0\r\nx: "+strings.Repeat("y", 200_000)+"\r\n\r\n"),
		long("many trailers", "0\r\n"+strings.Repeat("x: y\r\n", 5_000)+"\r\n"),
	}
	for _, size := range []string{
		"0x5", "0X5", "5h", "+5", "-5", "_5", "5_", "0_5", " 5", "5 ", "\t5", "5\t", "5,", "5,5", "5.0", "\"5\"", "'5'", "5e0", "5 5", "g", "٥", "5\x00", "\x005", "5\x0b", "5\x0c", "\x0b5", "5\x7f", "5\xa0", "%35", "$5", "(5)", "5/", "5:", "5=5",
	} {
		if size == "5e0" { // that is hexadecimal: 1504
			continue
		}
		attacks = append(attacks,
			body(fmt.Sprintf("the size %q", size), size+"\r\nhello\r\n0\r\n\r\n"+evilGet),
			body(fmt.Sprintf("the last size %q", strings.ReplaceAll(size, "5", "0")), strings.ReplaceAll(size, "5", "0")+"\r\n\r\n"+evilGet),
			body(fmt.Sprintf("a later size %q", size), "1\r\nx\r\n"+size+"\r\nhello\r\n0\r\n\r\n"+evilGet))
	}
	for _, name := range []string{
		"Content-Length", "Transfer-Encoding", "Transfer_Encoding", "content_length", "Host", "Connection", "Keep-Alive", "Upgrade", "Expect", "TE", "Trailer", "Authorization", "Proxy-Authorization",
		"Cookie", "Set-Cookie", "Content-Type", "Content-Encoding", "Content-Range", "Range", "If-Match", "Max-Forwards", "Cache-Control", "Proxy-Connection",
	} {
		attacks = append(attacks, body("behind the body: "+name, "5\r\nhello\r\n0\r\n"+name+": 5\r\n\r\n"+evilGet))
	}
	withstands(t, inEveryWay(attacks))
}

func TestAHeadHasOneReading(t *testing.T) {
	t.Parallel()
	withstands(t, inEveryWay([]attack{
		// Ends of lines.
		refuse("LF behind the request line", "GET "+own+" HTTP/1.1\n"+hostLine+"\r\n", bad),
		refuse("LF behind a field", get+"X: y\n\r\n", bad),
		refuse("LF LF as the end", get+"X: y\n\n", bad),
		refuse("LF everywhere", strings.ReplaceAll(get+"\r\n", "\r\n", "\n"), bad),
		refuse("CR everywhere", strings.ReplaceAll(get, "\r\n", "\r")+"\r\r\n\r\n", bad),
		refuse("CR in a value", get+"X: y\rZ: w\r\n\r\n", bad),
		refuse("CR CR LF behind a field", get+"X: y\r\r\n\r\n", bad),
		refuse("CR LF CR as the end", get+"\r"+evilGet, bad),
		refuse("LF in a value", get+"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", bad),
		refuse("NUL in a value", get+"X: y\x00z\r\n\r\n", bad),
		refuse("NUL in a name", get+"X\x00: y\r\n\r\n", bad),
		refuse("NUL in the path", "GET "+own+"\x00 HTTP/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("two empty lines before", "\r\n\r\n"+get+"\r\n", bad),
		refuse("LF before", "\n"+get+"\r\n", bad),
		refuse("CR before", "\r"+get+"\r\n", bad),
		refuse("a space before", " "+get+"\r\n", bad),
		serve("an empty line before", "\r\n"+get+"\r\n", "GET "+own+" "),

		// Folding and spaces.
		refuse("a folded value", get+"X: y\r\n z\r\n\r\n", bad),
		refuse("a folded value, tab", get+"X: y\r\n\tz\r\n\r\n", bad),
		refuse("a folded coding", post+"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", bad),
		refuse("a folded length", post+"Content-Length:\r\n 5\r\n\r\nhello", bad),
		refuse("a field hidden by folding", post+"X: y\r\n Content-Length: 5\r\n\r\nhello", bad),
		refuse("a space before the first field", "GET "+own+" HTTP/1.1\r\n Host: "+host+"\r\n"+hostLine+"\r\n", bad),
		refuse("an empty line folded", get+"X: y\r\n \r\n\r\n", bad),
		refuse("a space before the colon", get+"X : y\r\n\r\n", bad),
		refuse("a tab before the colon", get+"X\t: y\r\n\r\n", bad),
		refuse("no colon", get+"X\r\n\r\n", bad),
		refuse("no name", get+": y\r\n\r\n", bad),
		refuse("a request line as a field", get+"GET "+evil+" HTTP/1.1\r\n\r\n", bad),

		// Host.
		refuse("no Host", "GET "+own+" HTTP/1.1\r\n\r\n", bad),
		refuse("an empty Host", "GET "+own+" HTTP/1.1\r\nHost:\r\n\r\n", bad),
		refuse("two Hosts", get+"Host: other.test\r\n\r\n", bad),
		refuse("two Hosts, the other first", "GET "+own+" HTTP/1.1\r\nHost: other.test\r\n"+hostLine+"\r\n", bad),
		refuse("the same Host twice", get+hostLine+"\r\n", bad),
		refuse("Host with a space before the colon", get+"Host : other.test\r\n\r\n", bad),
		refuse("a folded Host", get+" Host: other.test\r\n\r\n", bad),
		refuse("a list of hosts", "GET "+own+" HTTP/1.1\r\nHost: "+host+", other.test\r\n\r\n", bad),
		refuse("two hosts in one", "GET "+own+" HTTP/1.1\r\nHost: "+host+" other.test\r\n\r\n", bad),
		refuse("Host with a path", "GET "+own+" HTTP/1.1\r\nHost: "+host+"/x\r\n\r\n", bad),
		refuse("Host with a query", "GET "+own+" HTTP/1.1\r\nHost: "+host+"?x\r\n\r\n", bad),
		refuse("Host with a fragment", "GET "+own+" HTTP/1.1\r\nHost: "+host+"#x\r\n\r\n", bad),
		refuse("Host with a user", "GET "+own+" HTTP/1.1\r\nHost: user@"+host+"\r\n\r\n", bad),
		refuse("Host with a backslash", "GET "+own+" HTTP/1.1\r\nHost: "+host+"\\x\r\n\r\n", bad),
		refuse("Host with an escape", "GET "+own+" HTTP/1.1\r\nHost: arena00%2etest\r\n\r\n", bad),
		refuse("Host with a scheme", "GET "+own+" HTTP/1.1\r\nHost: http://"+host+"\r\n\r\n", bad),
		refuse("Host with a port of letters", "GET "+own+" HTTP/1.1\r\nHost: "+host+":x\r\n\r\n", bad),
		refuse("Host with a port too large", "GET "+own+" HTTP/1.1\r\nHost: "+host+":65536\r\n\r\n", bad),
		refuse("Host with two ports", "GET "+own+" HTTP/1.1\r\nHost: "+host+":80:80\r\n\r\n", bad),
		refuse("Host with a high byte", "GET "+own+" HTTP/1.1\r\nHost: "+host+"\xff\r\n\r\n", bad),
		refuse("Host with two dots", "GET "+own+" HTTP/1.1\r\nHost: arena00..test\r\n\r\n", bad),
		refuse("Host with an open bracket", "GET "+own+" HTTP/1.1\r\nHost: [::1\r\n\r\n", bad),
		refuse("two Hosts in 1.0", "GET "+own+" HTTP/1.0\r\n"+hostLine+"Host: other.test\r\n\r\n", bad),
		serve("Host in capitals, with dot and port", "GET "+own+" HTTP/1.1\r\nHOST:ARENA00.test.:80\r\n\r\n", "GET "+own+" "),

		// Absolute form.
		serve("absolute form", "GET http://"+host+own+" HTTP/1.1\r\n"+hostLine+"\r\n", "GET "+own+" "),
		refuse("absolute form to elsewhere", "GET http://other.test"+own+" HTTP/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("absolute form from elsewhere", "GET http://"+host+own+" HTTP/1.1\r\nHost: other.test\r\n\r\n", bad),
		refuse("absolute form, another port", "GET http://"+host+":81"+own+" HTTP/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("absolute form without Host", "GET http://"+host+own+" HTTP/1.1\r\n\r\n", bad),
		refuse("absolute form with a user", "GET http://"+host+"@other.test"+own+" HTTP/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("absolute form with an empty host", "GET http://"+own+" HTTP/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("another scheme", "GET ftp://"+host+own+" HTTP/1.1\r\n"+hostLine+"\r\n", bad),
		decline("no scheme", "GET //"+host+"@other.test"+own+"\\ HTTP/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("a path without a slash", "GET "+own[1:]+" HTTP/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("an authority", "GET "+host+":80 HTTP/1.1\r\n"+hostLine+"\r\n", bad),

		// Request lines.
		refuse("HTTP/0.9", "GET "+own+"\r\n\r\n", bad),
		refuse("HTTP/0.9, a field behind", "GET "+own+"\r\n"+hostLine+"\r\n", bad),
		refuse("two spaces behind the method", "GET  "+own+" HTTP/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("two spaces behind the target", "GET "+own+"  HTTP/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("a space behind the version", "GET "+own+" HTTP/1.1 \r\n"+hostLine+"\r\n", bad),
		refuse("a tab behind the method", "GET\t"+own+" HTTP/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("a tab behind the target", "GET "+own+"\tHTTP/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("a vertical tab behind the target", "GET "+own+"\x0bHTTP/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("a form feed behind the target", "GET "+own+"\x0cHTTP/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("two targets", "GET "+own+" "+evil+" HTTP/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("two request lines in one", "GET "+own+" HTTP/1.1 GET "+evil+" HTTP/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("a fragment", "GET "+own+"#x HTTP/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("no method", own+" HTTP/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("a method in quotes", "\"GET\" "+own+" HTTP/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("a method with a colon", "GET: "+own+" HTTP/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("a version in lower case", "GET "+own+" http/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("another protocol", "GET "+own+" HTTPS/1.1\r\n"+hostLine+"\r\n", bad),
		refuse("a version with a comma", "GET "+own+" HTTP/1,1\r\n"+hostLine+"\r\n", bad),
		refuse("a version of one number", "GET "+own+" HTTP/1\r\n"+hostLine+"\r\n", bad),
		refuse("a version with a plus", "GET "+own+" HTTP/+1.1\r\n"+hostLine+"\r\n", bad),
		refuse("a version with a zero before", "GET "+own+" HTTP/1.01\r\n"+hostLine+"\r\n", bad),
		refuse("HTTP/1.2", "GET "+own+" HTTP/1.2\r\n"+hostLine+"\r\n", "505"),
		refuse("HTTP/1.9", "GET "+own+" HTTP/1.9\r\n"+hostLine+"\r\n", "505"),
		refuse("HTTP/0.9, said", "GET "+own+" HTTP/0.9\r\n"+hostLine+"\r\n", "505"),
		refuse("HTTP/2.0", "GET "+own+" HTTP/2.0\r\n"+hostLine+"\r\n", "505"),
		refuse("HTTP/3.0", "GET "+own+" HTTP/3.0\r\n"+hostLine+"\r\n", "505"),
		refuse("HTTP/9.9", "GET "+own+" HTTP/9.9\r\n"+hostLine+"\r\n", "505"),
		refuse("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", "400|505"),
		refuse("a TLS greeting", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", bad),
		serve("1.0", "GET "+own+" HTTP/1.0\r\n"+hostLine+"Connection: keep-alive\r\n\r\n", "GET "+own+" "),

		// Methods and targets of proxies.
		refuse("CONNECT", "CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n"+evilGet, "400|405|501"),
		refuse("CONNECT to a path", "CONNECT "+own+" HTTP/1.1\r\n"+hostLine+"\r\n"+evilGet, "400|405|501"),
		decline("TRACE", "TRACE "+own+" HTTP/1.1\r\n"+hostLine+"\r\n", "400|405|501"),
		decline("OPTIONS *", "OPTIONS * HTTP/1.1\r\n"+hostLine+"\r\n", "400|405|501"),
		decline("GET *", "GET * HTTP/1.1\r\n"+hostLine+"\r\n", "400|405|501"),

		// Upgrade and Expect.
		refuse("h2c", get+"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n", "400|501"),
		refuse("h2c, not named in Connection", get+"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n", "400|501"),
		refuse("h2c, Connection names Upgrade alone", get+"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n", "400|501"),
		refuse("h2c in a list", get+"Connection: Upgrade\r\nUpgrade: websocket, H2C\r\n\r\n", "400|501"),
		refuse("h2c in a second field", get+"Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n", "400|501"),
		refuse("h2c with a body", post+"Connection: Upgrade\r\nUpgrade: h2c\r\n"+withLength(evilGet), "400|501"),
		{name: "an Upgrade that nobody knows", wire: get + "Connection: Upgrade\r\nUpgrade: foo/2\r\n\r\n", answers: []string{"200|501"}, stays: true},
		refuse("another expectation", post+"Expect: 200-ok\r\n"+withLength("x"), "417"),
		refuse("an expectation twice", post+"Expect: 100-continue\r\nExpect: 100-continue\r\n"+withLength("x"), "417"),
		refuse("a list of expectations", post+"Expect: 100-continue, x\r\n"+withLength("x"), "417"),
		refuse("an expectation with a tail", post+"Expect: 100-continue;x\r\n"+withLength("x"), "417"),
		serve("an expectation whose body comes unasked", post+"Expect: 100-continue\r\n"+withLength(evilGet), "POST "+own+" "+evilGet),
		serve("an expectation without a body", get+"Expect: 100-continue\r\n\r\n", "GET "+own+" "),
		serve("an expectation before chunks", post+"Expect: 100-Continue\r\n"+chunkedTE+"\r\n"+chunk(evilGet)+"0\r\n\r\n", "POST "+own+" "+evilGet),

		// Too long, too many.
		refuse("a long target", "GET "+own+strings.Repeat("a", 100_000)+" HTTP/1.1\r\n"+hostLine+"\r\n", "414"),
		refuse("a long method", strings.Repeat("A", 100_000)+" "+own+" HTTP/1.1\r\n"+hostLine+"\r\n", "400|414|501"),
		refuse("a long value", get+"X: "+strings.Repeat("y", 2_000_000)+"\r\n\r\n", "431"),
		refuse("a long name", get+strings.Repeat("x", 2_000_000)+": y\r\n\r\n", "431"),
		refuse("many fields", get+strings.Repeat("X: y\r\n", 10_000)+"\r\n", "431"),
		refuse("very many fields", get+strings.Repeat("X: y\r\n", 300_000)+"\r\n", "431"),
	}))
}
