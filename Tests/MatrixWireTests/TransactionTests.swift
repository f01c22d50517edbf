import MatrixWire
import PresenceModel
import Testing

@Suite struct TransactionTests {
    private func decode(_ json: String) throws(TransactionError) -> Transaction {
        try Transaction(decoding: Array(json.utf8))
    }

    private func list(_ element: String, _ count: Int) -> String {
        Array(repeating: element, count: count).joined(separator: ",")
    }

    @Test func `recorded transactions encode to the bytes that were sent`() throws {
        let sent = try Recordings.exchanges(in: "federation_presence_transitions.jsonl") {
            $0.path.contains("/federation/v1/send/") && text($0.body ?? []).contains("m.presence")
        }
        var compared = 0
        for exchange in sent {
            let body = try #require(exchange.body)
            let transaction = try Transaction(decoding: body)
            #expect(transaction.malformedCount == 0)
            let edus: [PresenceEDU] = transaction.edus.compactMap { edu in
                guard case .presence(let presence) = edu else { return nil }
                #expect(presence.malformedCount == 0 && !presence.carriesExtension && !presence.push.isEmpty)
                return presence
            }
            guard transaction.pduCount == 0, edus.count == transaction.edus.count else { continue }
            let origin = try #require(transaction.origin)
            let moment = try #require(transaction.sent)
            let ours = Transaction.encode(edus, origin: origin, sent: moment, busyValue: .msc3026)
            let isBusy = edus.contains { $0.push.contains { $0.state == .busy } }
            let refinement = #""org.presenced.state":"busy","#
            #expect(text(ours).contains(refinement) == isBusy)
            #expect(text(ours).split(separator: refinement).joined() == text(body))
            compared += 1
        }
        #expect(compared > 5)
    }

    @Test func `a transaction has its limits`() throws {
        let (pdu, edu) = ("{}", #"{"edu_type":"x","content":{}}"#)
        let full = try decode(#"{"pdus":[\#(list(pdu, 50))],"edus":[\#(list(edu, 100))]}"#)
        #expect(full.pduCount == 50 && full.edus == Array(repeating: .unknown(type: "x"), count: 100))
        #expect(throws: TransactionError.tooManyPDUs(51)) { try decode(#"{"pdus":[\#(list(pdu, 51))]}"#) }
        #expect(throws: TransactionError.tooManyEDUs(101)) { try decode(#"{"edus":[\#(list("1", 101))]}"#) }
    }

    @Test func `what is missing is empty, what is of another kind is refused`() throws {
        #expect(try decode("{}") == Transaction())
        #expect(throws: TransactionError.edusNotAnArray) { try decode(#"{"edus":null}"#) }
        #expect(throws: TransactionError.edusNotAnArray) { try decode(#"{"edus":{}}"#) }
        #expect(throws: TransactionError.pdusNotAnArray) { try decode(#"{"pdus":null}"#) }
        #expect(throws: TransactionError.notAnObject) { try decode("[]") }
        #expect(throws: TransactionError.notJSON(JSONError(reason: .malformed, offset: 0))) { try decode("x") }
        #expect(TransactionError.notAnObject.answer.encode() == MatrixErrorBody.contentNotAnObject.encode())
    }

    @Test func `a malformed EDU does not sink the others`() throws {
        let good = #"{"edu_type":"m.typing","content":{}}"#
        for bad in [
            "null", "1", "[]", "{}", #"{"edu_type":"m.presence"}"#, #"{"content":{}}"#,
            #"{"edu_type":1,"content":{}}"#, #"{"edu_type":"m.presence","content":null}"#,
        ] {
            let transaction = try decode(#"{"edus":[\#(good),\#(bad),\#(good)]}"#)
            #expect(transaction.edus == [.unknown(type: "m.typing"), .unknown(type: "m.typing")])
            #expect(transaction.malformedCount == 1, "\(bad)")
        }
    }

    @Test func `floats in room events and a wrong origin cost nothing`() throws {
        let transaction = try decode(#"{"pdus":[{"a":1.5,"a":-0}],"origin":7,"origin_server_ts":"x","edus":[]}"#)
        #expect(transaction.pduCount == 1 && transaction.origin == nil && transaction.sent == nil)
    }

    @Test func `everything that we say is canonical and understood`() throws {
        let (a, b) = (try UserID(parsing: "@a:x"), try UserID(parsing: "@\"b\\:x"))
        let type = try DeviceType(parsing: "mobile")
        let edu = PresenceEDU(
            push: PublishedState.allCases.map {
                PresencePush(
                    user: a, state: $0, statusText: "\"\($0)\"\n", lastActiveAgoMilliseconds: 7,
                    deviceType: $0 == .offline ? nil : type)
            } + [PresencePush(user: b, state: .online, currentlyActive: false)],
            poll: [a, b], unpoll: [b], query: [a], watch: [b, a], promiseMilliseconds: 3_900_000,
            reminder: PresenceEDU.Reminder(
                promised: .init(count: 12, digest: "abc"), held: .init(count: 3, digest: "00ff"), isComplete: true))
        for busyValue in BusyValue.allCases {
            let bytes = Transaction.encode(
                [edu, PresenceEDU()], origin: try ServerName(parsing: "x"), sent: Instant(millisecondsSinceEpoch: 9),
                busyValue: busyValue)
            #expect(try JSONParser.strict.parse(bytes).isCanonical)
            let transaction = try Transaction(decoding: bytes)
            guard case .presence(let first) = transaction.edus.first else {
                Issue.record("no presence")
                continue
            }
            #expect(first.carriesExtension && first.malformedCount == 0)
            #expect(first.push == edu.push && first.poll == edu.poll && first.unpoll == edu.unpoll)
            #expect(first.query == edu.query && first.watch == edu.watch && first.reminder == edu.reminder)
            #expect(first.promiseMilliseconds == edu.promiseMilliseconds)
            #expect(transaction.edus.last == .presence(PresenceEDU()))
        }
    }

    @Test func `our bytes are these`() throws {
        let user = try UserID(parsing: "@a:x")
        let edu = PresenceEDU(
            push: [
                PresencePush(
                    user: user, state: .freeForChat, statusText: "hi", lastActiveAgoMilliseconds: 5,
                    deviceType: try DeviceType(parsing: "mobile")),
                PresencePush(user: user, state: .busy, currentlyActive: true),
                PresencePush(user: user, state: .offline, deviceType: try DeviceType(parsing: "web")),
            ],
            poll: [user])
        let bytes = Transaction.encode(
            [edu], origin: try ServerName(parsing: "x"), sent: Instant(millisecondsSinceEpoch: 9))
        #expect(
            text(bytes) == #"{"edus":[{"content":{"poll":["@a:x"],"push":[{"currently_active":true,"#
                + #""last_active_ago":5,"org.presenced.device_type":"mobile","org.presenced.state":"free_for_chat","#
                + #""presence":"online","status_msg":"hi","user_id":"@a:x"},{"org.presenced.state":"busy","presence":"unavailable","user_id":"@a:x"},"#
                + #"{"presence":"offline","user_id":"@a:x"}]},"edu_type":"m.presence"}],"origin":"x","#
                + #""origin_server_ts":9,"pdus":[]}"#)
    }
}
