import MatrixWire
import PresenceModel
import Testing

/// What the homeserver tells an application service: recorded, odd, and spoilt.
struct `A transaction of an application service` {
    private static func decoded(_ text: String) throws -> ApplicationTransaction {
        try ApplicationTransaction.decode(Array(text.utf8))
    }

    private static func event(_ fields: String) -> String {
        #"{"event_id":"$e","room_id":"!r:x","sender":"@a:x","origin_server_ts":5,"# + fields + "}"
    }

    private static func transaction(_ events: String...) -> String {
        #"{"events":["# + events.joined(separator: ",") + "]}"
    }

    private static func changes(_ transaction: ApplicationTransaction) -> [String] {
        transaction.events.compactMap { event in
            guard case .member(let user, let membership, _) = event.kind else { return nil }
            return "\(user.localpart) \(membership)"
        }
    }

    @Test func `as Synapse sends them tells who came and went`() throws {
        let bodies = try Recordings.exchanges(in: "as_membership.jsonl").filter {
            $0.path.hasPrefix("/_matrix/app/v1/transactions")
        }.compactMap(\.body)
        let transactions = try bodies.map { try ApplicationTransaction.decode($0) }
        #expect(transactions.allSatisfy { $0.malformedCount == 0 })
        let told = transactions.flatMap(`A transaction of an application service`.changes)
        #expect(told.prefix(4) == ["alice join", "anna join", "bob join", "anna leave"])
        #expect(told.contains("anna invite"))
        let kick = transactions.flatMap(\.events).first { $0.replaces != nil }
        #expect(kick?.replaces?.hasPrefix("$") == true)
        #expect(kick?.ageMilliseconds == 32)
    }

    @Test(arguments: ["as_ephemeral.jsonl", "as_retry.jsonl", "as_presence_disabled.jsonl"])
    func `as it was recorded is read to the end`(file: String) throws {
        let bodies = try Recordings.exchanges(in: file).filter { $0.path.contains("/transactions/") }.compactMap(\.body)
        #expect(bodies.count > 5)
        for body in bodies { #expect(try ApplicationTransaction.decode(body).malformedCount == 0) }
    }

    @Test func `tells who types and who read, in both spellings`() throws {
        let bodies = try Recordings.exchanges(in: "as_presence_disabled.jsonl").filter {
            $0.path.contains("/transactions/")
        }.compactMap(\.body)
        let signs = try bodies.flatMap { try ApplicationTransaction.decode($0).signs }
        // Each of them to three application services, one of which speaks as of old.
        #expect(signs.count { $0.atMilliseconds == nil } == 3)
        #expect(signs.count { $0.atMilliseconds == 1_795_217_697_696 } == 3)
        #expect(Set(signs.map(\.user.text)) == ["@anna:localhost:18448"])
    }

    @Test(arguments: [
        (#""type":"m.room.message","content":{"msgtype":"m.text","body":"x"}"#, false),
        (#""type":"m.room.encrypted","content":{"ciphertext":"x"}"#, false),
        (#""type":"m.reaction","content":{}"#, false),
        (#""type":"m.room.message","content":{"msgtype":"m.notice"}"#, true),
        (#""type":"m.room.message","content":{"fi.mau.double_puppet_source":"bridge","msgtype":"m.text"}"#, true),
    ]) func `tells what people say from what programs say`(fields: String, isAutomatic: Bool) throws {
        let transaction = try Self.decoded(Self.transaction(Self.event(fields)))
        #expect(transaction.events.map(\.kind) == [.message(isAutomatic: isAutomatic)])
    }

    @Test func `takes a receipt that a bridge made for none`() throws {
        let receipt = #"{"type":"m.receipt","room_id":"!r:x","content":{"$e":{"m.read":{"#
        let transaction = try Self.decoded(
            #"{"events":[],"ephemeral":["# + receipt
                + #""@a:x":{"ts":7},"@b:x":{"ts":7,"fi.mau.double_puppet_source":"b"},"@c:x":{}}}}},{"type":"m.typing"}]}"#
        )
        #expect(transaction.signs.map(\.user.text) == ["@a:x"])
    }

    @Test func `counts a member event as one only where it is state`() throws {
        let content = #""content":{"membership":"join"}"#
        let transaction = try Self.decoded(
            Self.transaction(
                Self.event(#""type":"m.room.member","# + content),
                Self.event(#""type":"m.room.member","state_key":"@b:x","# + content),
                Self.event(#""type":"m.room.member","state_key":"nobody","# + content),
                Self.event(#""type":"m.room.member","state_key":"@b:x","content":{"membership":"dance"}"#),
                Self.event(#""type":"m.room.topic","state_key":"","content":{}"#)))
        #expect(transaction.events.map(\.kind).first == .other)
        #expect(Self.changes(transaction) == ["b join"])
        #expect(transaction.events.count == 3)
        #expect(transaction.malformedCount == 2)
    }

    /// Events that no parser of ours would take, and that a homeserver passes on all the same: whoever can send a message
    /// must not be able to hold up what everybody else does.
    @Test(arguments: [
        String(repeating: "[", count: 30_000) + String(repeating: "]", count: 30_000),
        #"{"body":"\ud800"}"#, #"{"a":1e999,"b":-0,"a":NaN}"#, #"{"key \" } ] , {":"]}"}"#, "17", "null", "{}",
    ]) func `is read around a content of any kind`(content: String) throws {
        let transaction = try Self.decoded(
            Self.transaction(
                Self.event(#""type":"m.room.message","content":"# + content),
                Self.event(#""type":"m.room.member","state_key":"@b:x","content":{"membership":"leave"}"#)))
        #expect(transaction.malformedCount == 0)
        #expect(Self.changes(transaction) == ["b leave"])
    }

    @Test(arguments: [
        "{}", "17", "null", #""text""#, "[]", #"{"type":"m.room.message"}"#,
        #"{"type":"m.room.message","room_id":"r","sender":"@a:x"}"#,
        #"{"type":"m.room.message","room_id":"!r:x","sender":"a"}"#,
        #"{"type":7,"room_id":"!r:x","sender":7}"#,
    ]) func `leaves out and counts what is no event`(junk: String) throws {
        let good = Self.event(#""type":"m.room.member","state_key":"@b:x","content":{"membership":"ban"}"#)
        let transaction = try Self.decoded(Self.transaction(junk, good, junk))
        #expect(transaction.malformedCount == 2)
        #expect(Self.changes(transaction) == ["b ban"])
    }

    @Test func `reads escapes in identifiers`() throws {
        let transaction = try Self.decoded(
            Self.transaction(
                #"{"type":"m.room.member","room_id":"!\u0072:x","sender":"@\u0061:x","state_key":"@b\/c:x","#
                    + #""content":{"membership":"jo\u0069n","is_direct":true}}"#))
        let event = try #require(transaction.events.first)
        #expect(event.room.text == "!r:x" && event.sender.text == "@a:x" && event.id == nil)
        #expect(event.kind == .member(try UserID(parsing: "@b/c:x"), .join, isDirect: true))
    }

    @Test(arguments: ["", "[]", "{", #"{"events":7}"#, #"{"events":[}"#, #"{"events":[]} x"#, "nonsense"])
    func `is refused where nothing of it could be trusted`(body: String) throws {
        #expect(throws: MatrixErrorBody.self) { try Self.decoded(body) }
    }

    @Test func `changed in any way is read or refused, and never traps`() throws {
        let bodies = try Recordings.exchanges(in: "as_membership.jsonl").compactMap(\.body).prefix(20)
        var generator = SeededGenerator(seed: 22)
        for body in bodies {
            for _ in 0..<500 {
                var changed = body
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    let place = Int.random(in: 0..<changed.count, using: &generator)
                    switch Int.random(in: 0..<3, using: &generator) {
                    case 0: changed[place] = UInt8.random(in: 0...255, using: &generator)
                    case 1: changed.remove(at: place)
                    default: changed.removeLast(changed.count - place)
                    }
                    if changed.isEmpty { break }
                }
                _ = try? ApplicationTransaction.decode(changed)
                _ = RoomMemberList.decode(changed)
            }
        }
    }

    @Test func `lists of members are read in both shapes`() throws {
        let joined = #"{"joined":{"@a:x":{"display_name":"]}\" a"},"nobody":{},"@b:y":{}}}"#
        #expect(RoomMemberList.decode(Array(joined.utf8))?.map(\.text) == ["@a:x", "@b:y"])
        let members = #"{"members":["@a:x",7,"@b:y"],"total":3}"#
        #expect(RoomMemberList.decode(Array(members.utf8))?.map(\.text) == ["@a:x", "@b:y"])
        #expect(RoomMemberList.decode(Array(#"{"errcode":"M_X"}"#.utf8)) == nil)
        #expect(RoomMemberList.decode(Array(#"{"members":{}}"#.utf8)) == nil)
    }
}
