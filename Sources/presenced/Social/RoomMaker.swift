import HomeserverLink
import Logging
import PresenceModel
import SocialEngine
import SocialService
import Synchronization

/// Makes the rooms that friendships want, where both friends are users of the homeserver.
///
/// One after the other: a user's direct chats are read and written as a whole, so of two rooms that are made for one
/// user at once, one would be missing there.
final class RoomMaker: Sendable {
    private let server: ServerName
    private let rooms: FriendshipRooms
    private let logger: Logger
    /// In the order of their coming; bounded by the friendships there are.
    private let wanted = Mutex<[SocialPair]>([])
    private let wakes: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation

    /// - Parameter server: whose users the friends are.
    init(server: ServerName, rooms: FriendshipRooms, logger: Logger) {
        self.server = server
        self.rooms = rooms
        self.logger = logger
        (wakes, wakeUp) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// `nil` where nobody makes rooms: by choice, or without an application service.
    /// - Throws: ``StartFailure`` for a registration that does not allow it.
    convenience init?(_ configuration: ServerConfiguration, homeserver: HomeserverParts?, logger: Logger) throws {
        guard configuration.social.rooms == .make, let homeserver, let service = homeserver.applicationService else {
            return nil
        }
        guard !service.registration.userPatterns.isEmpty else {
            throw StartFailure(
                """
                rooms of friends are made in the names of users, and the registration has no users in its namespaces; \
                make a new one with generate-registration, or set social.rooms to skip
                """)
        }
        let rooms = FriendshipRooms(
            server: configuration.serverName, registration: service.registration, homeserver: homeserver.upstream,
            logger: logger)
        self.init(server: configuration.serverName, rooms: rooms, logger: logger)
    }

    /// The friends want a room. Returns at once.
    func add(_ pair: SocialPair) {
        wanted.withLock { $0.append(pair) }
        wakeUp.yield()
    }

    /// Makes what is wanted, until it is cancelled.
    func run(for social: SocialRuntime) async {
        for await _ in wakes {
            while !Task.isCancelled, let pair = next() { await make(pair, for: social) }
        }
    }

    private func next() -> SocialPair? { wanted.withLock { $0.isEmpty ? nil : $0.removeFirst() } }

    private func make(_ pair: SocialPair, for social: SocialRuntime) async {
        guard let low = try? UserID(parsing: "@\(pair.low.text):\(server)"),
            let high = try? UserID(parsing: "@\(pair.high.text):\(server)")
        else { return }
        do {
            await social.roomMade(for: pair, try await rooms.room(of: low, and: high))
        } catch is FriendshipRooms.NobodyThere {
            // Not tried again before the next start: there is nobody to make it for.
            logger.debug("friends who are not both users here get no room")
        } catch {
            logger.info("a friends' room could not be made yet; it is tried again", metadata: ["reason": "\(error)"])
            await social.roomFailed(for: pair)
        }
    }
}
