import MatrixWire
import PresenceModel
import Testing

@testable import HomeserverLink

struct `A room of friends` {
    private let homeserver = RoomyHomeserver()
    private let alias = "#0xaa+0xbb:x.org"

    private func room(_ one: String = "@0xaa:x.org", _ other: String = "@0xbb:x.org") async throws -> String {
        let registration = Registration(
            id: "presenced", url: nil, ownToken: RoomyHomeserver.ownToken,
            homeserverToken: try #require(ApplicationToken("hs-token-of-the-tests")), senderLocalpart: "presenced",
            userPatterns: ["@.*:x\\.org"])
        let rooms = FriendshipRooms(
            server: try ServerName(parsing: "x.org"), registration: registration, homeserver: homeserver,
            logger: LinkBench.quiet)
        return try await rooms.room(of: UserID(parsing: one), and: UserID(parsing: other)).text
    }

    @Test func `is private, has its alias, and both are in it`() async throws {
        let room = try await room("@0xbb:x.org", "@0xaa:x.org")
        let state = homeserver.now
        #expect(state.rooms[room] == .init(joined: ["@0xaa:x.org", "@0xbb:x.org"], invited: [], isDirect: true))
        #expect(state.aliases == [alias: room])
        #expect(state.direct["@0xaa:x.org"]?["@0xbb:x.org"] == [.string(room)])
        #expect(state.direct["@0xbb:x.org"]?["@0xaa:x.org"] == [.string(room)])
    }

    @Test func `is found again, from either side`() async throws {
        let first = try await room()
        #expect(try await room("@0xbb:x.org", "@0xaa:x.org") == first)
        #expect(homeserver.asked("createRoom").count == 1)
        #expect(homeserver.asked("PUT").count == 2)
        #expect(homeserver.now.direct["@0xaa:x.org"]?["@0xbb:x.org"] == [.string(first)])
    }

    /// The homeserver did it, and presenced was killed before it heard so.
    @Test(arguments: ["createRoom", "join?user_id=@0xaa", "join?user_id=@0xbb", "PUT"])
    func `is one after a loss at any step`(step: String) async throws {
        homeserver.change { $0.answerLost = step }
        let first = try? await room()
        #expect((first == nil) == (step != "PUT"))
        let second = try await room()
        #expect(homeserver.now.rooms.keys.sorted() == [second])
        #expect(homeserver.now.rooms[second]?.joined == ["@0xaa:x.org", "@0xbb:x.org"])
    }

    @Test func `is one for two who make it at once`() async throws {
        async let one = room()
        async let other = room("@0xbb:x.org", "@0xaa:x.org")
        let rooms = try await [one, other]
        #expect(rooms[0] == rooms[1])
        #expect(homeserver.now.rooms.count == 1)
    }

    @Test(arguments: ["@0xaa:x.org", "@0xbb:x.org"]) func `takes back who left it`(user: String) async throws {
        let first = try await room()
        homeserver.change {
            $0.rooms[first]?.joined.removeAll { $0 == user }
            $0.rooms[first]?.left.append(user)
        }
        #expect(try await room() == first)
        #expect(homeserver.now.rooms[first]?.joined.sorted() == ["@0xaa:x.org", "@0xbb:x.org"])
    }

    @Test func `is never one that somebody else holds under its alias`() async throws {
        homeserver.change {
            $0.rooms["!trap:x.org"] = .init(joined: ["@0xcc:x.org"], invited: ["@0xaa:x.org", "@0xbb:x.org"])
            $0.aliases[alias] = "!trap:x.org"
        }
        #expect(try await room() != "!trap:x.org")
        homeserver.change { $0.rooms["!trap:x.org"]?.joined.append("@0xaa:x.org") }
        #expect(try await room() != "!trap:x.org")
        #expect(homeserver.now.rooms["!trap:x.org"]?.joined == ["@0xcc:x.org", "@0xaa:x.org"])
    }

    /// Who made it and left can come back, and has the power over it.
    @Test(arguments: [["@0xaa:x.org"], ["@0xbb:x.org"], ["@0xaa:x.org", "@0xbb:x.org"]])
    func `is never one that somebody else was in before`(members: [String]) async throws {
        homeserver.change {
            $0.rooms["!trap:x.org"] = .init(joined: members, left: ["@0xcc:x.org"])
            $0.aliases[alias] = "!trap:x.org"
        }
        let room = try await room()
        #expect(room != "!trap:x.org")
        #expect(homeserver.now.rooms["!trap:x.org"]?.joined == members)
        #expect(homeserver.now.rooms[room]?.joined == ["@0xaa:x.org", "@0xbb:x.org"])
    }

    @Test func `is never one that somebody else is invited to`() async throws {
        homeserver.change {
            $0.rooms["!trap:x.org"] = .init(joined: ["@0xaa:x.org"], invited: ["@0xbb:x.org", "@0xcc:x.org"])
            $0.aliases[alias] = "!trap:x.org"
        }
        #expect(try await room() != "!trap:x.org")
    }

    /// Nothing would lead to the first one.
    @Test func `is not made again where it has no alias and the other cannot be brought in`() async throws {
        homeserver.change {
            $0.rooms["!trap:x.org"] = .init(joined: ["@0xcc:x.org"])
            $0.aliases[alias] = "!trap:x.org"
            $0.refused = ("join?user_id=@0xbb", 429, "M_LIMIT_EXCEEDED")
        }
        let room = try await room()
        #expect(homeserver.now.rooms[room] == .init(joined: ["@0xaa:x.org"], invited: ["@0xbb:x.org"], isDirect: true))
        #expect(homeserver.now.direct["@0xaa:x.org"]?["@0xbb:x.org"] == [.string(room)])
    }

    @Test func `is tried again where it has an alias and the other cannot be brought in`() async throws {
        homeserver.change { $0.refused = ("join?user_id=@0xbb", 429, "M_LIMIT_EXCEEDED") }
        await #expect(throws: HomeserverTrouble.self) { try await room() }
        homeserver.change { $0.refused = nil }
        #expect(try await room() == "!room0:x.org")
    }

    @Test func `has no alias where the registration has none for it`() async throws {
        homeserver.change { $0.refused = ("createRoom", 400, "M_EXCLUSIVE") }
        await #expect(throws: HomeserverTrouble.self) { try await room() }
        #expect(homeserver.asked("createRoom").count == 2)
    }

    @Test func `is made for users of the homeserver alone`() async throws {
        await #expect(throws: FriendshipRooms.NobodyThere(user: try UserID(parsing: "@0xdd:x.org"))) {
            try await room("@0xaa:x.org", "@0xdd:x.org")
        }
        #expect(homeserver.asked("createRoom").isEmpty)
    }

    @Test func `is a room also where it cannot be noted as a direct chat`() async throws {
        homeserver.change { $0.refused = ("m.direct", 403, "M_FORBIDDEN") }
        let first = try await room()
        #expect(homeserver.now.rooms[first]?.joined.count == 2)
    }

    @Test func `leaves other direct chats as they are`() async throws {
        var direct = JSONObject()
        direct["@0xbb:x.org"] = ["!old:x.org"]
        direct["@0xcc:x.org"] = ["!other:x.org"]
        homeserver.change { [direct] in $0.direct["@0xaa:x.org"] = direct }
        let first = try await room()
        #expect(homeserver.now.direct["@0xaa:x.org"]?["@0xbb:x.org"] == ["!old:x.org", .string(first)])
        #expect(homeserver.now.direct["@0xaa:x.org"]?["@0xcc:x.org"] == ["!other:x.org"])
    }

    @Test func `is tried again later where the homeserver is down`() async throws {
        homeserver.change { $0.isDown = true }
        let trouble = await #expect(throws: HomeserverTrouble.self) { try await room() }
        #expect(trouble?.code == .unreachable)
        homeserver.change { $0.isDown = false }
        #expect(try await room() == "!room0:x.org")
    }
}
