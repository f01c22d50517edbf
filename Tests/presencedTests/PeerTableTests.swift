import MatrixWire
import Testing

@testable import presenced

struct `The table of servers` {
    private let now: Int64 = 1_700_000_000_000

    private func peer(_ name: String, _ change: (inout JSONObject) -> Void = { _ in }) -> JSONValue {
        var peer: JSONObject = JSONObject()
        peer["server"] = .string(name)
        peer["kind"] = "capable"
        for key in ["promises_given", "promises_held", "wanted", "failures"] { peer[key] = 0 }
        peer["counts"] = ["edus_sent": 0, "not_sent": [:]]
        change(&peer)
        return .object(peer)
    }

    private func lines(_ peers: [JSONValue], total: Int64? = nil, next: String? = nil) -> [String] {
        var answer = JSONObject()
        answer["now_ts"] = .integer(now)
        answer["peers"] = .array(peers)
        answer["total"] = .integer(total ?? Int64(peers.count))
        answer["next"] = next.map { .string($0) }
        return PeerTable.lines(of: .object(answer))
    }

    @Test func `fits 120 columns whatever stands in it`() {
        let wide = peer(String(repeating: "long", count: 60)) { peer in
            peer["kind"] = "unheard"
            for key in ["promises_given", "promises_held", "wanted", "failures"] { peer[key] = 9_007_199_254_740 }
            for key in ["short_due_ts", "long_due_ts", "window_closes_ts", "retry_at_ts"] {
                peer[key] = .integer(now + 100 * 86_400_000)
            }
            peer["last_heard_ts"] = .integer(now - 86_399_000)
            peer["counts"] = [
                "edus_sent": 9_999_999,
                "not_sent": [
                    "cancelled_out": 9_999_999, "large_room": 9_999_999, "not_wanted": 9_999_999,
                    "opted_out": 9_999_999, "silent": 9_999_999, "superseded": 9_999_999,
                ],
            ]
        }
        let lines = lines([wide])
        #expect(lines.count == 4 && lines.allSatisfy { $0.count <= 120 }, "\(lines.map(\.count))")
        #expect(lines[1].contains("…") && lines[2].contains("9999k superseded"))
    }

    @Test func `tells what holds, what is left, and what was not sent`() throws {
        let lines = lines(
            [
                peer("a.org") { peer in
                    peer["promises_given"] = 12
                    peer["promises_held"] = 3
                    peer["wanted"] = 4
                    peer["short_due_ts"] = .integer(now + 47_000)
                    peer["long_due_ts"] = .integer(now + 2_520_000)
                    peer["last_heard_ts"] = .integer(now - 13_000)
                    peer["counts"] = ["edus_sent": 812, "not_sent": ["cancelled_out": 4, "not_wanted": 12]]
                },
                peer("b.org") { peer in
                    peer["kind"] = "silent"
                    peer["failures"] = 3
                    peer["retry_at_ts"] = .integer(now + 490_000)
                },
                peer("c.org") { $0["opted_out_until_ts"] = .integer(now + 7_500_000) },
            ], total: 9, next: "d.org")
        func words(_ line: String) -> [Substring] { line.split(separator: " ") }
        #expect(words(lines[0]).map(String.init).prefix(4) == ["SERVER", "KIND", "GIVEN", "HELD"])
        #expect(
            words(lines[1]) == ["a.org", "capable", "12", "3/4", "47s", "42m", "-", "13s", "ago", "-", "812", "16"])
        #expect(lines[2] == "    not sent: 4 cancelled out, 12 not wanted")
        #expect(lines[3].contains("silent") && lines[3].contains("8m, 3 failed") && lines[3].contains("never"))
        #expect(lines[4].contains("opted out 2h5m"))
        #expect(lines[5] == "3 of 9 servers; go on with --from d.org")
        #expect(self.lines([]) == ["No other server is known."])
        #expect(self.lines([], total: 4) == ["No server from there on."])
        #expect(self.lines([peer("a.org")]).last == "1 server")
    }
}
