import FixtureReplay
import MatrixWire
import Synchronization
import Testing

/// Over real sockets, against a server in this process.
struct ReplayTests {
    /// Answers with what was recorded, one record after the other.
    private final class Parrot: Sendable {
        private let answers: [ReceivedAnswer]
        private let next = Mutex(0)

        init(_ exchanges: [RecordedExchange], changing change: (inout JSONValue) -> Void) {
            answers = exchanges.map { exchange in
                guard var answer = exchange.answer else {
                    let body = Array((exchange.answerText ?? "").utf8)
                    return ReceivedAnswer(status: exchange.status, body: body)
                }
                change(&answer)
                return ReceivedAnswer(status: exchange.status, body: CanonicalJSON.encode(answer))
            }
        }

        func answer() -> ReceivedAnswer {
            let index = next.withLock { index in
                defer { index += 1 }
                return index
            }
            return index < answers.count ? answers[index] : ReceivedAnswer(status: 599, body: [])
        }
    }

    private static func isSent(_ exchange: RecordedExchange) -> Bool {
        if case .leftOut = exchange.body { return false }
        return exchange.status != 0 && !exchange.isRemark
    }

    @Test(arguments: ["cs_presence_put.jsonl", "cs_presence_errors.jsonl", "edge_auth.jsonl"])
    func `a server that answers as recorded gets the recorded bytes and has no differences`(
        file: String
    ) async throws {
        let recording = try Recordings.read(file)
        let sent = recording.exchanges.filter(ReplayTests.isSent)
        let parrot = Parrot(sent) { answer in
            guard var object = answer.object, object["last_active_ago"] != nil else { return }
            object["last_active_ago"] = 123_456
            answer = .object(object)
        }
        try await LoopbackServer.serving({ _ in parrot.answer() }) { server in
            let report = try await Replay(to: server.url).run([recording])
            #expect(report.differences == [])
            #expect(report.equalCount == sent.count)
            #expect(report.skippedCount == recording.exchanges.count - sent.count)
            #expect(report.exchangeCount == recording.exchanges.count)
            try #require(server.asked.count == sent.count)
            for (asked, exchange) in zip(server.asked, sent) {
                #expect(asked.method == exchange.method)
                #expect(asked.target == exchange.target)
                #expect(asked.headers["Host"] == exchange.values(of: "Host"))
                #expect(asked.headers["Authorization"] == exchange.values(of: "Authorization"))
                if case .bytes(let body) = exchange.body {
                    #expect(asked.body == body)
                } else {
                    #expect(asked.body == [])
                }
            }
        }
    }

    @Test
    func `a server that says yes to everything is found out, but for what is expected`() async throws {
        let recording = try Recordings.read("cs_presence_errors.jsonl")
        let yes: LoopbackServer.Answering = { _ in ReceivedAnswer(status: 200, body: Array("{}".utf8)) }
        let expectations = try Expectations(
            document: Array(
                #"""
                {"expected": [
                  {"reason": "a test", "note": "PUT without token"},
                  {"reason": "another", "path": "/_matrix/client/v3/presence/list/*"},
                  {"reason": "no such answer", "note": "GET without token", "status": 418},
                  {"reason": "never there", "note": "no such note"}
                ]}
                """#.utf8))
        try await LoopbackServer.serving(yes) { server in
            var replay = Replay(to: server.url)
            replay.expectations = expectations
            let report = try await replay.run([recording])
            #expect(report.expectedCount == 3)
            #expect(report.differentCount > 50)
            #expect(report.unusedExpectations.map(\.reason) == ["no such answer", "never there"])
            let known = report.entries.first { $0.exchange.note == "PUT with unknown token" }
            guard case .different(let differences) = known?.outcome else {
                Issue.record("not found out")
                return
            }
            #expect(
                differences.map(\.words) == ["status 401 became 200", "errcode M_UNKNOWN_TOKEN became none"])
            let counts = [report.equalCount, report.expectedCount, report.differentCount, report.skippedCount]
            #expect(counts.reduce(0, +) == report.exchangeCount)
            #expect(
                report.summary
                    == "\(counts.reduce(0, +)) exchanges, \(counts[0]) equal, 3 expected differences, \(counts[2]) "
                    + "differences, \(counts[3]) skipped")
        }
    }

    @Test func `the same replay twice says the same`() async throws {
        let recordings = try Recordings.files.map(Recordings.read)
        let no: LoopbackServer.Answering = { _ in ReceivedAnswer(status: 404, body: Array("[]".utf8)) }
        try await LoopbackServer.serving(no) { server in
            let first = try await Replay(to: server.url).run(recordings)
            let second = try await Replay(to: server.url).run(recordings)
            #expect(first.differences == second.differences)
            #expect(first.entries.map(\.outcome) == second.entries.map(\.outcome))
        }
    }

    @Test func `a selection counts only what it names`() async throws {
        let recording = try Recordings.read("edge_presence_in.jsonl")
        let no: LoopbackServer.Answering = { _ in ReceivedAnswer(status: 404, body: []) }
        try await LoopbackServer.serving(no) { server in
            var replay = Replay(to: server.url)
            replay.selection.destination = "localhost:18448"
            replay.selection.pathPrefix = "/_matrix/federation/v1/send/"
            replay.selection.method = "PUT"
            let report = try await replay.run([recording])
            let wanted = recording.exchanges.filter {
                $0.destination == "localhost:18448" && $0.target.contains("/send/") && $0.method == "PUT"
            }
            #expect(report.entries.map(\.exchange.place) == wanted.map(\.place))
            #expect(!wanted.isEmpty)
        }
    }

    @Test func `a server that is not there is a difference, not an error`() async throws {
        let url = try await LoopbackServer.serving({ _ in ReceivedAnswer(status: 200, body: []) }) { $0.url }
        let record = try Recordings.record(#"{"method": "GET", "path": "/x", "status": 200, "response_body": {}}"#)
        var replay = Replay(to: url)
        replay.requestTimeout = .seconds(1)
        let lines = Array(#"{"method": "GET", "path": "/x", "status": 200, "response_body": {}}"#.utf8)
        let report = try await replay.run([Recording(lines: lines, file: "hand.jsonl")])
        #expect(report.differences.map(\.aspect) == [.transport])
        #expect(report.differences.map(\.place) == [record.place])
    }

    @Test func `positions in a stream are those of the server under test`() async throws {
        let lines = [
            #"{"method": "GET", "path": "/sync", "status": 200, "response_body": {"next_batch": "s1"}}"#,
            #"{"method": "GET", "path": "/sync?since=s1&a=0", "status": 200, "response_body": {"next_batch": "s2"}}"#,
            #"{"method": "GET", "path": "/sync?since=s9", "status": 200, "response_body": {"next_batch": "s3"}}"#,
        ]
        let recording = Recording(lines: Array(lines.joined(separator: "\n").utf8), file: "hand.jsonl")
        let answer: LoopbackServer.Answering = { _ in
            ReceivedAnswer(status: 200, body: Array(#"{"next_batch":"ours 7"}"#.utf8))
        }
        try await LoopbackServer.serving(answer) { server in
            let report = try await Replay(to: server.url).run([recording])
            #expect(report.equalCount == 3)
            #expect(server.asked.map(\.target) == ["/sync", "/sync?since=ours%207&a=0", "/sync?since=s9"])
        }
    }
}
