import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

@Suite struct `Newcomers` {
    private let start = Instant(millisecondsSinceEpoch: 1_700_000_000_000)

    private func user(_ name: String) throws -> UserID { try UserID(parsing: "@\(name):h") }

    private func engine(
        _ configure: (inout PresenceEngine.Configuration) throws -> Void = { _ in }
    ) throws -> PresenceEngine {
        var configuration = PresenceEngine.Configuration()
        try configure(&configuration)
        var engine = PresenceEngine(server: try ServerName(parsing: "h"), configuration: configuration)
        for name in ["me", "ada", "bob"] {
            let device = DeviceKey(user: try user(name), device: try DeviceID(parsing: "D"))
            _ = engine.handle(.deviceActed(device), at: start)
        }
        return engine
    }

    private func seen(_ engine: PresenceEngine, _ names: [String], rooms: [String] = []) throws -> [String] {
        let newcomers = try names.map { PresenceEngine.Newcomer(user: try user($0), room: try RoomID(parsing: "!r:h")) }
        return engine.sightings(
            of: newcomers, membersOf: try rooms.map { try RoomID(parsing: $0) }, by: try user("me"), besides: []
        ).map(\.user.text)
    }

    @Test func `are seen by the homeserver's word before ours, each once and the observer never`() throws {
        var engine = try engine()
        #expect(try engine.presence(of: user("ada"), seenBy: user("me")) == .forbidden)
        #expect(try seen(engine, ["ada", "bob", "ada", "me", "nobody"]) == ["@ada:h", "@bob:h"])
        let room = try RoomID(parsing: "!r:h")
        _ = engine.handle(.roomJoined(try user("bob"), room), at: start)
        #expect(try seen(engine, ["ada"], rooms: ["!r:h", "!other:h"]) == ["@ada:h", "@bob:h"])
        let besides = engine.sightings(
            of: [], membersOf: [room], by: try user("me"), besides: [try user("bob")])
        #expect(besides.isEmpty)
    }

    @Test func `in an excluded room are not seen, nor who blocks the observer`() throws {
        let room = try RoomID(parsing: "!r:h")
        var engine = try engine { $0.excludedRooms = [room] }
        #expect(try seen(engine, ["ada"]) == [])
        engine = try self.engine()
        _ = engine.handle(.userBlocked(by: try user("ada"), try user("me")), at: start)
        #expect(try seen(engine, ["ada", "bob"]) == ["@bob:h"])
    }

    @Test func `of whom nothing was heard are left out`() throws {
        var engine = try engine()
        let stranger = try UserID(parsing: "@x:elsewhere")
        let room = try RoomID(parsing: "!r:h")
        _ = engine.handle(.roomJoined(stranger, room), at: start)
        _ = engine.handle(.roomJoined(try user("me"), room), at: start)
        #expect(try seen(engine, [], rooms: ["!r:h"]) == [])
    }
}
