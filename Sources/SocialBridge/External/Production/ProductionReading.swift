import BridgeEngine
import PresenceModel
import SocialClient
import SocialEngine

/// What is between a user and others, put together from lists that are empty when they fail.
///
/// Nobody is taken for gone because a list lacks them: who was an acquaintance before and is in no list is asked about,
/// one by one, and what is said of them counts. Decision 30.
enum ProductionReading {
    /// - Parameter acquaintances: with whom the user had something when they were last read; asked behind the lists, so
    ///   that they are as late as these.
    /// - Throws: ``SocialClientError``: nothing is known then; `CancellationError`.
    static func read(
        _ client: ProductionClient, acquaintances: () async -> [SocialAddress]
    ) async throws -> FriendshipReading {
        let friends = try await client.friends()
        let incoming = try await client.incomingRequests().elements
        let outgoing = try await client.outgoingRequests().elements
        var blocked = Set(try await client.blocked().elements)
        blocked.formUnion(try await client.blockedAddresses())
        var reading = FriendshipReading(friends: friends.elements, outgoing: outgoing, incoming: incoming)
        let listed = Set(friends.elements).union(outgoing.map(\.other)).union(incoming.map(\.other)).union(blocked)
        let missing = await acquaintances().filter { !listed.contains($0) }
        for other in missing {
            guard let standing = try await standing(client, with: other) else {
                reading.unknown.append(other)
                continue
            }
            switch standing {
            case .friends:
                guard friends.rows > 0 || missing.count <= askedAboutLimit else {
                    throw SocialClientError(.failed, "the service's list of friends is empty, and should not be")
                }
                reading.friends.append(other)
            case .asked(let message): reading.outgoing.append(request(other, message))
            case .askedBy(let message): reading.incoming.append(request(other, message))
            case .blocked: blocked.insert(other)
            case .nothing, .blockedBy: break
            }
        }
        // Of strangers, a friendship's status does not tell blocks; lists that were empty by a failure are not twice.
        if !missing.isEmpty { blocked.formUnion(try await client.blockedAddresses()) }
        reading.blocked = blocked.sorted()
        return reading
    }

    /// - Returns: `nil` if the service does not say of this one, or in words that are not known: with others it can be
    ///   told all the same.
    private static func standing(
        _ client: ProductionClient, with other: SocialAddress
    ) async throws -> ProductionStanding? {
        do {
            return try await client.standing(with: other)
        } catch let error as SocialClientError where error.code == .refused || error.code == .malformed {
            return nil
        }
    }

    /// Past this many who are missing in an empty list, the first of them who is a friend tells that it failed.
    private static let askedAboutLimit = 20

    /// When it was made is not said: it is older than anything that is known.
    private static func request(_ other: SocialAddress, _ message: String?) -> FriendRequest {
        FriendRequest(other: other, createdAt: .epoch, message: message)
    }
}
