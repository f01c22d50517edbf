import FixtureReplay
import MatrixWire
import Testing

struct AnswerComparisonTests {
    private func words(
        _ recorded: String, status: Int = 200, _ received: String, became: Int = 200
    ) throws -> [String] {
        let exchange = try Recordings.record(
            #"{"method": "GET", "path": "/x", "status": \#(status), "response_body": \#(recorded)}"#)
        let answer = ReceivedAnswer(status: became, body: Array(received.utf8))
        return AnswerComparison.differences(between: exchange, and: answer).map(\.words)
    }

    @Test func `the same answer has no difference, whatever the order of its members`() throws {
        #expect(try words(#"{"a": 1, "b": [true, null]}"#, #"{"b":[true,null],"a":1}"#).isEmpty)
        #expect(try words("null", "").isEmpty)
    }

    @Test func `a changed status is a difference, and hides the body`() throws {
        let changed = try words(#"{"a": 1}"#, #"{"a":2}"#, became: 404)
        #expect(changed == ["status 200 became 404"])
    }

    @Test func `a changed error code is a difference`() throws {
        let forbidden = #"{"errcode": "M_FORBIDDEN", "error": "x"}"#
        let changed = try words(forbidden, status: 403, #"{"errcode":"M_UNKNOWN","error":"x"}"#, became: 403)
        #expect(changed == ["errcode M_FORBIDDEN became M_UNKNOWN"])
        #expect(
            try words("{}", forbidden, became: 403) == ["status 200 became 403", "errcode none became M_FORBIDDEN"])
    }

    @Test func `a changed body is a difference that says where`() throws {
        let state = try words(#"{"presence": "online"}"#, #"{"presence":"offline"}"#)
        #expect(state == [#"presence: "online" became "offline""#])
        let nested = try words(#"{"a": {"b": [1, 2]}}"#, #"{"a":{"b":[1,3,4]}}"#)
        #expect(nested == ["a.b[1]: 2 became 3", "a.b: 2 elements became 3"])
        let members = try words(#"{"a": 1}"#, #"{"b":2}"#)
        #expect(members == ["a: 1 is missing", "b: 2 is new"])
        #expect(try words("{}", "") == ["JSON became no body"])
        #expect(try words("{}", "<html>") == ["JSON became <html>"])
        #expect(try words("null", "{}") == ["no body became {}"])
        #expect(try words("[]", "{}") == ["body: [] became {}"])
    }

    @Test func `many differences of one body are cut short`() throws {
        let many = "[" + (0..<50).map(String.init).joined(separator: ",") + "]"
        let others = "[" + (100..<150).map(String.init).joined(separator: ",") + "]"
        let changed = try words(many, others)
        #expect(changed.count == AnswerComparison.bodyDifferencesLimit + 1)
        #expect(changed.last == "and 30 more")
    }

    @Test(arguments: [
        (#"{"last_active_ago": 15}"#, #"{"last_active_ago":60000}"#),
        (#"{"retry_after_ms": 15}"#, #"{"retry_after_ms":1}"#),
        (#"{"next_batch": "s1_2", "access_token": "a"}"#, #"{"next_batch":"7","access_token":"b"}"#),
        (#"{"device_id": "A"}"#, #"{"device_id":"B"}"#),
        (#"{"valid_until_ts": 1, "origin_server_ts": 3}"#, #"{"valid_until_ts":2,"origin_server_ts":4}"#),
        (#"{"join": {"!abcdefghijklmnopqrst:a.example": {}}}"#, #"{"join":{"!zyxwvutsrqponmlkjihg:b.example":{}}}"#),
        (#"{"event_id": "$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq"}"#, #"{"event_id":"$other"}"#),
        (#"{"error": "it must be one of ['a', 'b', 'c']"}"#, #"{"error":"it must be one of ['c', 'a', 'b']"}"#),
        (#"{"presence": {"events": [{"a": 1}, {"b": 2}]}}"#, #"{"presence":{"events":[{"b":2},{"a":1}]}}"#),
        (
            #"{"presence": {"events": [{"a": 1}, {"c": {"last_active_ago": 1}}]}}"#,
            #"{"presence":{"events":[{"c":{"last_active_ago":2}},{"a":1}]}}"#
        ),
    ])
    func `what varies between runs is no difference`(recorded: String, received: String) throws {
        #expect(try words(recorded, received).isEmpty)
    }

    @Test(arguments: [
        (#"{"last_active_ago": 15}"#, "{}"),
        (#"{"last_active_ago": 15}"#, #"{"last_active_ago":"15"}"#),
        (#"{"last_active_ago": 15}"#, #"{"last_active_ago":null}"#),
        (#"{"error": "must be one of ['a', 'b']"}"#, #"{"error":"must be one of ['a', 'c']"}"#),
        (#"{"presence": {"events": [{"sender": "@a:b"}]}}"#, #"{"presence":{"events":[]}}"#),
        (#"{"timeline": {"events": [1, 2]}}"#, #"{"timeline":{"events":[2,1]}}"#),
    ])
    func `what varies must still be there and of the same kind`(recorded: String, received: String) throws {
        #expect(try !words(recorded, received).isEmpty)
    }

    @Test(arguments: Recordings.files) func `every recorded answer is equal to itself`(file: String) throws {
        for exchange in try Recordings.read(file).exchanges {
            let body = exchange.answer.map(CanonicalJSON.encode) ?? Array((exchange.answerText ?? "").utf8)
            let same = ReceivedAnswer(status: exchange.status, body: body)
            #expect(AnswerComparison.differences(between: exchange, and: same).isEmpty)
            let other = ReceivedAnswer(status: exchange.status == 200 ? 500 : 200, body: body)
            #expect(AnswerComparison.differences(between: exchange, and: other).count == 1)
        }
    }
}
