import NIOHTTP1
import PresenceModel
import Testing

@testable import MatrixFederation

struct `Delegation documents` {
    private let now = Instant(millisecondsSinceEpoch: 784_111_777_000)
    private let server: ServerName
    private let delegate: ServerName

    init() throws {
        server = try ServerName(parsing: "a.org")
        delegate = try ServerName(parsing: "m.a.org")
    }

    @Test(
        arguments: [
            ([:], 24 * 60), (["Cache-Control": "max-age=7200"], 120),
            (["Cache-Control": "public, Max-Age=\"600\""], 10),
            (["Cache-Control": "max-age=1"], 5), (["Cache-Control": "no-store"], 5),
            (["Cache-Control": "no-cache, max-age=7200"], 5),
            (["Cache-Control": "max-age=99999999999999999999999"], 48 * 60),
            (["Cache-Control": "max-age=172801"], 48 * 60), (["Cache-Control": "private"], 24 * 60),
            (["Cache-Control": "max-age=x"], 5), (["Expires": "Sun, 06 Nov 1994 09:49:37 GMT"], 60),
            (["Expires": "Sun, 06 Nov 1994 08:00:00 GMT"], 5), (["Expires": "0"], 5),
            (["Expires": "Sun, 06 Nov 1994 09:49:37 GMT", "Cache-Control": "max-age=7200"], 120),
        ] as [([String: String], Int)])
    func `are kept as long as their headers say, within bounds`(fields: [String: String], minutes: Int) {
        let headers = HTTPHeaders(fields.map { ($0.key, $0.value) })
        #expect(WellKnownMemory.life(headers, at: now) == .minutes(minutes))
    }

    @Test(arguments: [
        (200, #"{"m.server":"m.a.org"}"#, "delegated"), (200, #"{"m.server":"no good"}"#, "absent"),
        (200, #"{"m.server":7}"#, "absent"), (200, "[]", "absent"), (200, "", "absent"), (404, "", "absent"),
        (403, #"{"m.server":"m.a.org"}"#, "absent"), (500, "", "failed"), (503, "", "failed"), (429, "", "failed"),
    ]) func `count with status 200 and a good name only`(status: Int, body: String, kind: String) {
        let answer = WellKnownAnswer(status: status, headers: [:], body: Array(body.utf8), at: now)
        #expect("\(answer)".hasPrefix(kind))
    }

    @Test func `are asked for anew when their time is over`() {
        var memory = WellKnownMemory()
        #expect(memory.delegation(of: server, at: now) == nil)
        #expect(memory.note(.delegated(delegate, life: .hours(2)), of: server, at: now) == delegate)
        #expect(memory.delegation(of: server, at: now + .minutes(119)) == .some(delegate))
        #expect(memory.delegation(of: server, at: now + .hours(2)) == nil)
        #expect(memory.note(.absent, of: server, at: now) == nil)
        #expect(memory.delegation(of: server, at: now + .minutes(59)) == .some(nil))
        #expect(memory.delegation(of: server, at: now + .minutes(60)) == nil)
    }

    @Test func `that cannot be had are asked for ever more seldom, at least once an hour`() {
        var memory = WellKnownMemory()
        var at = now
        var pauses: [Int64] = []
        for _ in 0..<9 {
            _ = memory.note(.failed(reason: "x"), of: server, at: at)
            var next = at
            while memory.delegation(of: server, at: next) != nil { next = next + .minutes(1) }
            pauses.append(next.milliseconds(since: at) / 60_000)
            at = next
        }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60])
        _ = memory.note(.delegated(delegate, life: .minutes(5)), of: server, at: at)
        _ = memory.note(.failed(reason: "x"), of: server, at: at + .minutes(5))
        #expect(memory.delegation(of: server, at: at + .minutes(6)) == nil)
    }

    @Test func `of before count while new ones cannot be had, for 48 hours`() {
        var memory = WellKnownMemory()
        _ = memory.note(.delegated(delegate, life: .hours(1)), of: server, at: now)
        #expect(memory.note(.failed(reason: "x"), of: server, at: now + .hours(1)) == delegate)
        #expect(memory.delegation(of: server, at: now + .hours(1)) == .some(delegate))
        #expect(memory.note(.failed(reason: "x"), of: server, at: now + .hours(48)) == nil)
        #expect(memory.note(.absent, of: server, at: now + .hours(2)) == nil)
    }

    @Test func `are remembered for so many servers and no more`() throws {
        var memory = WellKnownMemory(serversLimit: 3)
        let names = try (0..<5).map { try ServerName(parsing: "s\($0).org") }
        for (index, name) in names.enumerated() {
            _ = memory.note(.delegated(delegate, life: .hours(index + 1)), of: name, at: now)
        }
        #expect(names.map { memory.delegation(of: $0, at: now) != nil } == [false, false, true, true, true])
    }
}

struct `Dates in headers` {
    @Test(arguments: [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199), ("Fri, 01 Mar 2024 00:00:00 GMT", 1_709_251_200),
        ("Sat, 21 Nov 2026 07:00:00 GMT", 1_795_244_400),
    ]) func `are read`(text: String, seconds: Int64) {
        #expect(HTTPDate.parse(text) == Instant(millisecondsSinceEpoch: seconds * 1000))
    }

    @Test(arguments: [
        "", "0", "-1", "Sun, 06 Nov 1994 08:49:37", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49 GMT",
    ]) func `are nothing else`(text: String) { #expect(HTTPDate.parse(text) == nil) }

    @Test func `and seconds tell how long to wait`() {
        let now = Instant(millisecondsSinceEpoch: 784_111_777_000)
        #expect(RetryAfter.parse("120", at: now) == .seconds(120))
        #expect(RetryAfter.parse("Sun, 06 Nov 1994 08:50:07 GMT", at: now) == .seconds(30))
        #expect(RetryAfter.parse("Sun, 06 Nov 1994 08:00:00 GMT", at: now) == .zero)
        #expect(RetryAfter.parse("99999999999999999999999", at: now) == .hours(24))
        #expect(RetryAfter.parse("-5", at: now) == nil)
        #expect(RetryAfter.parse("soon", at: now) == nil)
    }
}
