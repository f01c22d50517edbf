import Foundation
import PresenceModel
import SocialClient
import SocialEngine

/// A user of a presenced's social service, with a client of their own.
struct SocialUser: Sendable {
    let user: Presenced.User
    let address: SocialAddress
    let client: SocialClient

    init(_ user: Presenced.User, at presenced: Presenced) throws {
        self.user = user
        address = try SocialAddress(parsing: user.id)
        var configuration = SocialClient.Configuration(url: "ws://127.0.0.1:\(presenced.settings.clientPort)/social")
        configuration.pause.first = .milliseconds(100)
        configuration.pause.limit = .seconds(1)
        client = SocialClient(configuration, credential: .token(user.token)) {
            Instant(millisecondsSinceEpoch: Int64(Date().timeIntervalSince1970 * 1000))
        }
    }

    /// At a server that runs by itself, with a new token.
    static func make(_ localpart: String, at presenced: Presenced, device: String = "SOCIAL") async throws -> SocialUser
    {
        try SocialUser(try await presenced.user(localpart, device: device), at: presenced)
    }

    /// Both want it.
    func befriend(_ other: SocialUser) async throws {
        _ = try await client.act(.request(message: nil), towards: other.address)
        _ = try await other.client.act(.accept, towards: address)
    }

    func followPresence() -> Follower<PresenceUpdate> { Follower(client.presenceUpdates()) }
    func followFriendships() -> Follower<FriendshipUpdate> { Follower(client.friendshipUpdates()) }
}

extension [PresenceUpdate] {
    /// How `friend` is, by everything that was told.
    func latest(of friend: SocialAddress) -> FriendSighting? {
        var latest: FriendSighting?
        for update in self {
            switch update {
            case .snapshot(let sightings): latest = sightings.first { $0.friend == friend }
            case .changed(let sightings): latest = sightings.last { $0.friend == friend } ?? latest
            case .lost: latest = nil
            }
        }
        return latest
    }

    /// Changes of `friend` that were told, each as often as it was.
    func changes(of friend: SocialAddress) -> [FriendSighting] {
        flatMap { update in
            guard case .changed(let sightings) = update else { return [FriendSighting]() }
            return sightings.filter { $0.friend == friend }
        }
    }
}

extension [FriendshipUpdate] {
    /// Everything that happened, in its order.
    var news: [FriendshipNews] {
        flatMap { update in
            guard case .happened(let news) = update else { return [FriendshipNews]() }
            return news
        }
    }

    /// Rooms that were announced of the friendship with `other`.
    func rooms(with other: SocialAddress) -> [RoomID] {
        news.compactMap { news in
            guard news.other == other, case .room(let room) = news.body else { return nil }
            return room
        }
    }
}
