import Logging
import MatrixWire
import PresenceModel

/// The rooms in which friends talk: made by the application service in the name of one of the two, found again by an
/// alias, and kept when the friendship ends.
///
/// The alias is `#LOW+HIGH:server`, both local parts in lower case and sorted, as the first social service had it. An
/// alias that somebody else holds is let be: the room then has none. Whatever is done twice comes to the same room.
/// ADR-189; facts: social service, section 4.4; decision 27.
public struct FriendshipRooms: Sendable {
    /// One of the two is no user of the homeserver, which will not change soon.
    public struct NobodyThere: Error, Hashable, Sendable {
        /// Who is not there.
        public var user: UserID
    }

    private let server: ServerName
    private let client: HomeserverClient
    private let logger: Logger

    /// - Parameter registration: of an application service that may act for every user of the homeserver, and whose
    ///   aliases hold those of friends; without the latter rooms have no alias.
    public init(
        server: ServerName, registration: Registration, homeserver: any HomeserverAsking, logger: Logger
    ) {
        self.server = server
        self.logger = logger
        client = HomeserverClient(
            homeserver: homeserver, ownToken: registration.ownToken, id: registration.id, adminToken: nil)
    }

    /// The room of two users of the homeserver, in which both are when it returns; or, of a room without an alias, one
    /// is and the other is invited.
    /// - Throws: ``NobodyThere``; ``HomeserverTrouble``, after which it may be tried again.
    public func room(of one: UserID, and other: UserID) async throws -> RoomID {
        let (low, high) = one.localpart.lowercased() < other.localpart.lowercased() ? (one, other) : (other, one)
        for user in [low, high] where try await !client.isThere(user) { throw NobodyThere(user: user) }
        guard let room = try await roomWithAlias(of: low, high) else {
            return try await roomWithoutAlias(of: low, high)
        }
        try await bring(low, high, into: room)
        await noteAsDirect(room, low, high)
        return room
    }

    /// A room that nothing leads to but its id: whatever fails once it is there must not have it made again.
    private func roomWithoutAlias(of low: UserID, _ high: UserID) async throws(HomeserverTrouble) -> RoomID {
        let room = try await client.createRoom(as: low, inviting: high, aliasLocalpart: nil)
        do throws(HomeserverTrouble) {
            try await bring(low, high, into: room)
        } catch {
            logger.info(
                "a friend was invited to a room and could not be brought in", metadata: ["reason": "\(error.message)"])
        }
        await noteAsDirect(room, low, high)
        return room
    }

    private func noteAsDirect(_ room: RoomID, _ low: UserID, _ high: UserID) async {
        for (user, friend) in [(low, high), (high, low)] { await noteAsDirect(room, of: user, with: friend) }
    }

    /// Without the server: a homeserver adds its own.
    static func aliasLocalpart(of low: UserID, _ high: UserID) -> String {
        "\(low.localpart.lowercased())+\(high.localpart.lowercased())"
    }

    /// Finds the room by its alias, or makes it; `nil` where it can have none. Two who make it at once find one room:
    /// the alias is given once.
    private func roomWithAlias(of low: UserID, _ high: UserID) async throws(HomeserverTrouble) -> RoomID? {
        let localpart = FriendshipRooms.aliasLocalpart(of: low, high)
        for _ in 0..<2 {
            if let found = try await client.room(withAlias: "#\(localpart):\(server)") {
                if try await isOurs(found, low, high) { return found }
                logger.warning("an alias of friends names a room of others; their room gets none")
                break
            }
            do throws(HomeserverTrouble) {
                return try await client.createRoom(as: low, inviting: high, aliasLocalpart: localpart)
            } catch {
                // Made meanwhile by another process, or not ours to give.
                if error.isRoomInUse { continue }
                guard error.isAliasRefused else { throw error }
                logger.warning(
                    "the application service may not give aliases to rooms; make the registration anew")
                break
            }
        }
        return nil
    }

    /// Whether at least one of the two is in the room, and nobody else is or ever was.
    ///
    /// Whoever made a room under the alias and left it comes back when they like: they keep the power over it.
    private func isOurs(_ room: RoomID, _ low: UserID, _ high: UserID) async throws(HomeserverTrouble) -> Bool {
        for user in [low, high] {
            do throws(HomeserverTrouble) {
                let members = try await client.joinedMembers(of: room, as: user)
                guard members.contains(user) else { continue }
                guard members.allSatisfy({ $0 == low || $0 == high }) else { return false }
                return try await client.everyMember(of: room, as: user).isSubset(of: [low.text, high.text])
            } catch {
                guard error.isRefusal(403, 404) else { throw error }
            }
        }
        return false
    }

    /// Who is in already is not asked; who left is invited by the other.
    private func bring(_ low: UserID, _ high: UserID, into room: RoomID) async throws(HomeserverTrouble) {
        for (user, friend) in [(low, high), (high, low)] {
            do throws(HomeserverTrouble) {
                try await client.join(room, as: user)
            } catch {
                guard error.isRefusal(403) else { throw error }
                try await client.invite(user, to: room, as: friend)
                try await client.join(room, as: user)
            }
        }
    }

    /// So that clients show it among direct chats. A room without that is a room all the same.
    private func noteAsDirect(_ room: RoomID, of user: UserID, with friend: UserID) async {
        do throws(HomeserverTrouble) {
            var direct = try await client.directRooms(of: user)
            let known = direct[friend.text]?.array ?? []
            guard !known.contains(where: { $0.string == room.text }) else { return }
            direct[friend.text] = .array(known + [.string(room.text)])
            try await client.setDirectRooms(of: user, to: direct)
        } catch {
            logger.info("a friends' room could not be noted as a direct chat", metadata: ["reason": "\(error.message)"])
        }
    }
}

extension HomeserverTrouble {
    /// The alias names a room.
    fileprivate var isRoomInUse: Bool { isRefused(MatrixErrorCode(rawValue: "M_ROOM_IN_USE")) }

    /// The registration's namespaces do not hold the alias.
    fileprivate var isAliasRefused: Bool { isRefused(MatrixErrorCode(rawValue: "M_EXCLUSIVE")) }

    private func isRefused(_ word: MatrixErrorCode) -> Bool {
        if case .refused(_, word) = code { true } else { false }
    }
}
