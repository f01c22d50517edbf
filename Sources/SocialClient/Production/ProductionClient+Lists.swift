import PresenceModel
import SocialEngine
import SocialWire

/// A list as the production service gave it. A failure of it is an empty list there, and people without a profile are
/// left out: who is missing may still belong to it, and ``ProductionClient/standing(with:)`` tells.
public struct ProductionList<Element: Sendable>: Sendable {
    /// In the service's order; what does not parse is left out.
    public internal(set) var elements: [Element] = []
    /// Rows that came, whatever was in them.
    public internal(set) var rows = 0
    /// How many there are, says the service.
    public internal(set) var total = 0
}

/// Where one stands with another, says the production service.
public enum ProductionStanding: Hashable, Sendable {
    /// Nothing, or not any more; there may be a block all the same.
    case nothing
    /// The user asked the other one.
    case asked(message: String?)
    /// The other one asked the user.
    case askedBy(message: String?)
    case friends
    /// The user blocked the other one.
    case blocked
    /// The other one blocked the user.
    case blockedBy
}

// What is between the user and others.
extension ProductionClient {
    /// - Throws: ``SocialClientError``, `CancellationError`. A failure of the service is an empty list.
    public func friends() async throws -> ProductionList<SocialAddress> {
        try await pages(of: configuration.friendsPerPage) { [profiles] page in
            var request = SocialV2GetFriendsPayload()
            request.pagination = page
            let answer = try await call("GetFriends", request, SocialV2PaginatedFriendsProfilesResponse.self)
            return (answer.friends.map { $0.noted(in: profiles) }, answer.paginationData.total)
        }
    }

    /// Who asked the user.
    /// - Throws: ``SocialClientError``, `CancellationError`.
    public func incomingRequests() async throws -> ProductionList<FriendRequest> {
        try await requests("GetPendingFriendshipRequests")
    }

    /// Whom the user asked.
    /// - Throws: ``SocialClientError``, `CancellationError`.
    public func outgoingRequests() async throws -> ProductionList<FriendRequest> {
        try await requests("GetSentFriendshipRequests")
    }

    /// Whom the user blocked.
    /// - Throws: ``SocialClientError``, `CancellationError`. A failure of the service is an empty list.
    public func blocked() async throws -> ProductionList<SocialAddress> {
        try await pages(of: configuration.othersPerPage) { [profiles] page in
            var request = SocialV2GetBlockedUsersPayload()
            request.pagination = page
            let answer = try await call("GetBlockedUsers", request, SocialV2GetBlockedUsersResponse.self)
            return (answer.profiles.map { $0.noted(in: profiles) }, answer.paginationData.total)
        }
    }

    /// Whom the user blocked, also those without a profile.
    /// - Throws: ``SocialClientError``, `CancellationError`. A failure of the service is an empty list.
    public func blockedAddresses() async throws -> [SocialAddress] {
        let answer = try await call("GetBlockingStatus", SocialV2Empty(), SocialV2GetBlockingStatusResponse.self)
        return answer.blockedUsers.prefix(configuration.listLimit).compactMap { try? SocialAddress(parsing: $0) }
    }

    /// How it is between the user and one other: unlike lists, this does not take a failure for nothing.
    /// - Throws: ``SocialClientError``, `CancellationError`.
    public func standing(with other: SocialAddress) async throws -> ProductionStanding {
        var request = SocialV2GetFriendshipStatusPayload()
        request.user = SocialV2User(other)
        let answer = try await call("GetFriendshipStatus", request, SocialV2GetFriendshipStatusResponse.self)
        switch answer.response {
        case .accepted(let accepted):
            let message = accepted.hasMessage ? accepted.message : nil
            switch accepted.status {
            case .requestSent: return .asked(message: message)
            case .requestReceived: return .askedBy(message: message)
            case .accepted: return .friends
            case .blocked: return .blocked
            case .blockedBy: return .blockedBy
            case .canceled, .rejected, .deleted, .none: return .nothing
            case .UNRECOGNIZED: throw SocialClientError(.malformed, "a friendship's status is not known")
            }
        case .internalServerError(let error): throw SocialClientError(.failed, error.message)
        case .invalidRequest(let error): throw SocialClientError(.refused, error.message)
        case nil: throw SocialClientError(.malformed, "a friendship has no status")
        }
    }

    private func requests(_ procedure: String) async throws -> ProductionList<FriendRequest> {
        try await pages(of: configuration.othersPerPage) { [profiles] page in
            var request = SocialV2GetFriendshipRequestsPayload()
            request.pagination = page
            let answer = try await call(procedure, request, SocialV2PaginatedFriendshipRequestsResponse.self)
            switch answer.response {
            case .requests(let found):
                return (found.requests.map { $0.request(noting: profiles) }, answer.paginationData.total)
            case .internalServerError(let error): throw SocialClientError(.failed, error.message)
            // A message without requests is one of none.
            case nil: return ([], answer.paginationData.total)
            }
        }
    }

    /// Page after page, until as many rows were asked for as there are. A page that fails is as empty as one behind the
    /// end: then there are fewer rows than the pages before said.
    private func pages<Element: Sendable>(
        of size: Int32, _ ask: (SocialV2Pagination) async throws -> (rows: [Element?], total: Int32)
    ) async throws -> ProductionList<Element> {
        var list = ProductionList<Element>()
        var page = SocialV2Pagination()
        page.limit = size
        while Int(page.offset) < ProductionClient.offsetLimit, list.rows < configuration.listLimit {
            let (rows, total) = try await ask(page)
            list.rows += rows.count
            list.elements += rows.prefix(Int(size)).compactMap(\.self)
            list.total = max(list.total, Int(total))
            page.offset += size
            guard !rows.isEmpty, Int(page.offset) < list.total else { break }
        }
        return list
    }

    /// The service takes no offset past this.
    private static var offsetLimit: Int { 100_000 }
}
