import MatrixWire
import PresenceModel

/// Draws answers to syncs with all that JSON allows: blanks anywhere, any order, escapes where none are needed.
struct DrawnSync {
    var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    static let users = ["@alice:here", "@bob:here", "@zoë:there", "@me:here", "@q\"uote:there"]

    /// One of at most `limit` bytes.
    mutating func answer(_ shape: SyncSplicer.Shape, limit: Int) -> [UInt8] {
        while true {
            let body = shape == .sync ? sync() : slidingSync()
            if body.count <= limit { return body }
        }
    }

    mutating func sync() -> [UInt8] {
        var members = [("next_batch", string("s\(number(1000))_é"))]
        if chance(2) { members.append(("rooms", rooms())) }
        for _ in 0..<number(3) { members.append((word(), value(depth: 0))) }
        if chance(2) { members.append(("presence", presence())) }
        if chance(8) { members.append(("presence", value(depth: 2))) }
        return Array((blanks() + object(members) + blanks()).utf8)
    }

    mutating func slidingSync() -> [UInt8] {
        var members = [("pos", string("\(number(9))/s\(number(1000))"))]
        if chance(2) {
            var rooms: [(String, String)] = []
            for place in 0..<number(4) {
                rooms.append(
                    ("!\(place):here", object([("required_state", events()), ("timeline", events())])))
            }
            members.append(("rooms", object(rooms)))
        }
        if chance(2) {
            var extensions = [(word(), value(depth: 1))]
            if chance(2) { extensions.append(("org.presenced.presence", presence())) }
            if chance(4) { extensions = [] }
            members.append(("extensions", object(extensions)))
        }
        for _ in 0..<number(2) { members.append((word(), value(depth: 0))) }
        return Array((blanks() + object(members) + blanks()).utf8)
    }

    private mutating func rooms() -> String {
        var joined: [(String, String)] = []
        for place in 0..<number(4) {
            var room = [("timeline", object([("events", events()), ("limited", "true")]))]
            if chance(2) { room.append(("state", object([("events", events())]))) }
            if chance(4) { room.append(("state_after", object([("events", events())]))) }
            if chance(3) { room.append(("summary", value(depth: 1))) }
            joined.append(("!room\(place):here", object(room)))
        }
        return object([("join", object(joined)), ("invite", value(depth: 1)), ("presence", "[]")])
    }

    private mutating func events() -> String {
        var events: [String] = []
        for _ in 0..<number(5) {
            var content = [("body", value(depth: 3))]
            if chance(3) { content.append(("membership", string(["join", "join", "leave"][number(3)]))) }
            var event = [
                ("type", string(chance(3) ? word() : "m.room.member")), ("content", object(content)),
                ("state_key", string(DrawnSync.users[number(DrawnSync.users.count)])),
            ]
            if chance(3) {
                let before = object([("membership", string(chance(2) ? "join" : "invite"))])
                event.append(("unsigned", object([("age", "1"), ("prev_content", before)])))
            }
            events.append(object(event))
        }
        if chance(6) { events.append(value(depth: 3)) }
        return array(events)
    }

    private mutating func presence() -> String { object([("events", array([]))]) }

    private mutating func value(depth: Int) -> String {
        switch number(depth > 4 ? 6 : 9) {
        case 0: return "null"
        case 1: return chance(2) ? "true" : "false"
        case 2: return ["0", "-1", "1.5e3", "-0.25E-7", "12345678901234567890", "1e+9"][number(6)]
        case 3, 4, 5: return string(word())
        case 6: return array((0..<number(4)).map { _ in value(depth: depth + 1) })
        default:
            var members: [(String, String)] = []
            for place in 0..<number(4) { members.append(("\(word())\(place)", value(depth: depth + 1))) }
            if chance(4) { members.append(("presence", value(depth: depth + 1))) }
            return object(members)
        }
    }

    private mutating func object(_ members: [(String, String)]) -> String {
        let parts = members.shuffled(using: &random).map { key, value in
            blanks() + string(key) + blanks() + ":" + blanks() + value + blanks()
        }
        return "{" + (parts.isEmpty ? blanks() : parts.joined(separator: ",")) + "}"
    }

    private mutating func array(_ values: [String]) -> String {
        let parts = values.map { blanks() + $0 + blanks() }
        return "[" + (parts.isEmpty ? blanks() : parts.joined(separator: ",")) + "]"
    }

    /// Escaped here and there.
    private mutating func string(_ text: String) -> String {
        var out = "\""
        for unit in text.utf16 {
            let scalar = Unicode.Scalar(unit)
            if chance(12) || unit < 0x20 || scalar == nil {
                let digits = String(unit, radix: 16)
                out +=
                    "\\u" + String(repeating: "0", count: 4 - digits.count) + (chance(2) ? digits : digits.uppercased())
            } else if let scalar, scalar == "\"" || scalar == "\\" {
                out += "\\" + String(Character(scalar))
            } else if let scalar {
                out += String(Character(scalar))
            }
        }
        return out + "\""
    }

    private mutating func word() -> String {
        let words = [
            "a", "events", "rooms", "joins", "m.room.message", "presence2", "presenc", "😀 und é", "}]{[,:\"\\", "\n\t",
            "state_key", "a longer text that fills more than one word of eight bytes", "",
        ]
        return words[number(words.count)]
    }

    private mutating func blanks() -> String { chance(4) ? [" ", "\n", "\t \r", "  "][number(4)] : "" }

    private mutating func chance(_ of: Int) -> Bool { number(of) == 0 }

    mutating func number(_ below: Int) -> Int { Int.random(in: 0..<below, using: &random) }
}

/// The same as the splicer by the plainest means: with the whole answer in hand.
struct NaiveSplicer {
    var output: [UInt8] = []
    var token: String?
    var joins: Set<SyncJoins.Join> = []
    var ownRooms: Set<String> = []

    private let bytes: [UInt8]

    /// - Parameter bytes: a JSON object without flaws.
    init(_ bytes: [UInt8], _ shape: SyncSplicer.Shape, events: [String], reader: String) throws {
        self.bytes = bytes
        let tree = try JSONParser(duplicateKeys: .lastWins, numbers: .any, maxDepth: 512).parse(bytes).value
        token = tree[shape == .sync ? "next_batch" : "pos"]?.string
        learn(tree, shape, reader)
        let list = "{\"events\":[" + events.joined(separator: ",") + "]}"
        if shape == .sync {
            splice(from: 0, key: "presence", value: events.isEmpty ? nil : list, then: nil)
        } else {
            let inner = events.isEmpty ? nil : list
            let whole = events.isEmpty ? nil : "{\"org.presenced.presence\":\(list)}"
            if tree["extensions"] == nil {
                splice(from: 0, key: "\u{0}", value: whole, named: "extensions", then: nil)
            } else {
                splice(from: 0, key: "\u{0}", value: nil, then: ("extensions", "org.presenced.presence", inner))
            }
        }
    }

    /// Copies the object that begins at `start` (after blanks) without the members called `key`, and adds one at its end.
    private mutating func splice(
        from start: Int, key: String, value: String?, named name: String? = nil, then inner: (String, String, String?)?
    ) {
        var place = blanksEnd(start)
        output += bytes[start...place]
        place += 1
        var hasMember = false
        var isFirst = true
        while true {
            let blanks = place
            place = blanksEnd(place)
            if bytes[place] == UInt8(ascii: "}") {
                output += bytes[blanks..<place]
                break
            }
            var lead = blanks
            if !isFirst {
                output += bytes[blanks..<place]
                lead = place + 1
                place = blanksEnd(lead)
            }
            isFirst = false
            let keyStart = place
            place = valueEnd(place)
            let text = (try? JSONParser.lenient.parse(Array(bytes[keyStart..<place])))?.value.string
            let valueStart = blanksEnd(blanksEnd(place) + 1)
            let end = valueEnd(valueStart)
            place = end
            guard text != key else { continue }
            if hasMember { output.append(UInt8(ascii: ",")) }
            hasMember = true
            if let inner, text == inner.0 {
                output += bytes[lead..<valueStart]
                splice(from: valueStart, key: inner.1, value: inner.2, then: nil)
            } else {
                output += bytes[lead..<end]
            }
        }
        if let value { output += Array((hasMember ? "," : "").utf8) + Array("\"\(name ?? key)\":\(value)".utf8) }
        output.append(UInt8(ascii: "}"))
        if start == 0 { output += bytes[(place + 1)...] }
    }

    private func blanksEnd(_ start: Int) -> Int {
        var place = start
        while " \n\r\t".utf8.contains(bytes[place]) { place += 1 }
        return place
    }

    private func valueEnd(_ start: Int) -> Int {
        var place = start
        switch bytes[start] {
        case UInt8(ascii: "\""):
            place += 1
            while bytes[place] != UInt8(ascii: "\"") { place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1 }
            return place + 1
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            place += 1
            while bytes[place] != UInt8(ascii: "}"), bytes[place] != UInt8(ascii: "]") {
                place = "\"{[".utf8.contains(bytes[place]) ? valueEnd(place) : place + 1
            }
            return place + 1
        default:
            while !",}] \n\r\t".utf8.contains(bytes[place]) { place += 1 }
            return place
        }
    }

    private mutating func learn(_ tree: JSONValue, _ shape: SyncSplicer.Shape, _ reader: String) {
        let rooms = (shape == .sync ? tree["rooms"]?["join"] : tree["rooms"])?.object?.members ?? []
        for room in rooms {
            guard let id = try? RoomID(parsing: room.key) else { continue }
            let blocks =
                shape == .sync
                ? ["state", "timeline", "state_after"].map { room.value[$0]?["events"] }
                : ["timeline", "required_state"].map { room.value[$0] }
            var members: [String: (isJoined: Bool, isNew: Bool)] = [:]
            for block in blocks {
                var inBlock: [String: (isJoined: Bool, isNew: Bool)] = [:]
                for event in block?.array ?? [] where event["type"]?.string == "m.room.member" {
                    guard let user = event["state_key"]?.string,
                        let membership = event["content"]?["membership"]?.string
                    else { continue }
                    let isJoined = membership == "join"
                    let wasJoined = event["unsigned"]?["prev_content"]?["membership"]?.string == "join"
                    let wasNew = inBlock[user].map { $0.isJoined && $0.isNew } ?? false
                    inBlock[user] = (isJoined, isJoined && (!wasJoined || wasNew))
                }
                members.merge(inBlock) { _, later in later }
            }
            let isOwn = members[reader].map { $0.isJoined && $0.isNew } ?? false
            if isOwn { ownRooms.insert(id.text) }
            for (user, member) in members where member.isJoined && (member.isNew || isOwn) && user != reader {
                if let user = try? UserID(parsing: user) { joins.insert(SyncJoins.Join(user: user, room: id)) }
            }
        }
    }
}
