import MatrixWire
import PresenceModel
import Testing

@Suite struct ClientBodyTests {
    private func put(_ body: [UInt8], allowsBusy: Bool = true) -> Result<PutPresenceBody, MatrixErrorBody> {
        do throws(MatrixErrorBody) {
            return .success(try PutPresenceBody.decode(body, allowsBusy: allowsBusy))
        } catch {
            return .failure(error)
        }
    }

    private func refusal(_ json: String) -> String? {
        guard case .failure(let body) = put(Array(json.utf8)) else { return nil }
        return body.message
    }

    /// Refusals of the body, and no others.
    private static let bodyErrors: Set<String> = [
        "Content not JSON.", "Content must be a JSON object.", "Unable to parse state", "Invalid presence state",
        "status_msg must be a string.",
    ]

    @Test(arguments: ["cs_presence_put.jsonl", "cs_presence_errors.jsonl"])
    func `recorded bodies are taken or refused as Synapse did`(file: String) throws {
        var (taken, refused) = (0, 0)
        for exchange in try Recordings.exchanges(in: file) where exchange.method == "PUT" {
            guard let body = exchange.body, !exchange.note.contains("invalid UTF-8") else { continue }
            if exchange.status == 200, body.count < 1_100 {
                guard case .success = put(body) else {
                    Issue.record("refused: \(exchange.note)")
                    continue
                }
                taken += 1
            } else if exchange.status == 400, let error = exchange.answer["error"]?.string,
                ClientBodyTests.bodyErrors.contains(error)
            {
                guard case .failure(let answer) = put(body) else {
                    Issue.record("taken: \(exchange.note)")
                    continue
                }
                #expect(answer.status == exchange.status, "\(exchange.note)")
                #expect(try JSONParser.strict.parse(answer.encode()).value == exchange.answer, "\(exchange.note)")
                refused += 1
            }
        }
        #expect([taken, refused] == (file == "cs_presence_put.jsonl" ? [20, 1] : [3, 25]))
    }

    @Test func `empty and ill-encoded bodies are not JSON`() {
        #expect(put([]) == .failure(.contentNotJSON))
        #expect(put(Array(#"{"presence":NaN}"#.utf8)) == .failure(.contentNotJSON))
        #expect(put(Array(#"{"presence":""#.utf8) + [0xFF, 0xFE, 0x22, 0x7D]) == .failure(.contentNotJSON))
    }

    @Test func `state and text are read`() {
        func success(_ json: String) -> PutPresenceBody? { try? put(Array(json.utf8)).get() }
        #expect(success(#"{"presence":"online"}"#) == PutPresenceBody(state: .online, statusText: nil))
        #expect(success(#"{"status_msg":"","presence":"offline"}"#)?.state == .offline)
        #expect(success(#"{"status_msg":"","presence":"offline"}"#)?.statusText == nil)
        #expect(
            success(#"{"presence":"unavailable","status_msg":"\u0000é"}"#)
                == PutPresenceBody(state: .unavailable, statusText: "\u{0}é"))
        #expect(success(#"{"presence":"unavailable","presence":"online"}"#)?.state == .online)
    }

    @Test func `busy is a state only where it is allowed`() {
        let body = Array(#"{"presence":"org.matrix.msc3026.busy"}"#.utf8)
        #expect(put(body) == .success(PutPresenceBody(state: .busy, statusText: nil)))
        let refused = MatrixErrorBody(.unknown, "Invalid presence state")
        #expect(put(body, allowsBusy: false) == .failure(refused))
    }

    @Test func `several flaws are reported in Synapse's order`() {
        #expect(refusal(#"{"status_msg":1,"extra":1}"#) == "Unable to parse state")
        #expect(refusal(#"{"presence":"x","status_msg":1,"extra":1}"#) == "status_msg must be a string.")
        #expect(refusal(#"{"presence":"x","status_msg":"a","extra":1}"#) == "Unable to parse state")
        #expect(refusal(#"{"presence":"x","status_msg":"a"}"#) == "Invalid presence state")
        #expect(refusal(#"{"presence":1.5}"#) == "Invalid presence state")
    }

    @Test func `a text over the limit is refused as too large`() {
        func body(_ text: String) -> [UInt8] { Array(#"{"presence":"online","status_msg":"\#(text)"}"#.utf8) }
        let longest = String(repeating: "é", count: 512)
        #expect(put(body(longest)) == .success(PutPresenceBody(state: .online, statusText: longest)))
        let refused = MatrixErrorBody(.tooLarge, "status_msg must not be longer than 1024 bytes.", status: 413)
        #expect(put(body(longest + "x")) == .failure(refused))
    }

    @Test func `recorded statuses are written as they were`() throws {
        var compared = 0
        for file in ["cs_presence_put.jsonl", "cs_presence_errors.jsonl"] {
            for exchange in try Recordings.exchanges(in: file) where exchange.method == "GET" {
                guard exchange.status == 200, let word = exchange.answer["presence"]?.string else { continue }
                let isBusy = word == BusyValue.msc3026.rawValue
                let content = PresenceContent(
                    state: isBusy ? .busy : try #require(PublishedState(rawValue: word)),
                    statusText: exchange.answer["status_msg"]?.string,
                    lastActiveAgoMilliseconds: exchange.answer["last_active_ago"]?.integer)
                var expected = try #require(exchange.answer.object)
                if isBusy { expected["org.presenced.state"] = "busy" }
                #expect(try JSONParser.strict.parse(content.encode()).value == .object(expected), "\(exchange.note)")
                compared += 1
            }
        }
        #expect(compared > 15)
    }

    @Test func `what Matrix has no word for is told beside it`() throws {
        let chatty = PresenceContent(state: .freeForChat, lastActiveAgoMilliseconds: 0)
        #expect(
            text(chatty.encode()) == #"{"presence":"online","last_active_ago":0,"currently_active":true,"#
                + #""org.presenced.state":"free_for_chat"}"#)
        let busy = PresenceContent(state: .busy, statusText: "\"no\"")
        #expect(
            text(busy.encode(busyValue: .unavailable))
                == #"{"presence":"unavailable","status_msg":"\"no\"","org.presenced.state":"busy"}"#)
        var writer = JSONWriter()
        writer.beginArray()
        for state in [PublishedState.offline, .unavailable] {
            PresenceContent(state: state).writeEvent(sender: try UserID(parsing: "@a:x"), to: &writer)
        }
        writer.endArray()
        #expect(
            text(writer.bytes) == #"[{"type":"m.presence","sender":"@a:x","content":{"presence":"offline"}},"#
                + #"{"type":"m.presence","sender":"@a:x","content":{"presence":"unavailable"}}]"#)
    }

    @Test func `refusals carry what the specification wants`() {
        let slow = MatrixErrorBody(.limitExceeded, "Too many requests", retryAfterMilliseconds: 100)
        #expect(
            text(slow.encode()) == #"{"errcode":"M_LIMIT_EXCEEDED","error":"Too many requests","retry_after_ms":100}"#)
        #expect(slow.status == 429)
        let gone = MatrixErrorBody(.unknownToken, "Invalid access token passed.", softLogout: false)
        #expect(
            text(gone.encode())
                == #"{"errcode":"M_UNKNOWN_TOKEN","error":"Invalid access token passed.","soft_logout":false}"#)
        let statuses: [(MatrixErrorCode, Int)] = [
            (.notJSON, 400), (.badJSON, 400), (.missingParameter, 400), (.invalidParameter, 400), (.unknown, 400),
            (.missingToken, 401), (.unknownToken, 401), (.unauthorized, 401), (.userLocked, 401), (.forbidden, 403),
            (.userSuspended, 403), (.notFound, 404), (.unrecognized, 404), (.tooLarge, 413), (.limitExceeded, 429),
        ]
        for (code, status) in statuses { #expect(code.usualStatus == status && code.rawValue.hasPrefix("M_")) }
        #expect(MatrixErrorBody(.unrecognized, "Unrecognized request", status: 405).status == 405)
    }
}
