import SocialEngine
import SocialTransport
import SocialWire

extension FriendshipsService {
    /// `GetPrivacy(Payload) → PrivacyResponse`: how much of the caller friends see; presenced's own.
    var getPrivacy: RPCProcedure {
        unary("GetPrivacy") {
            (asked: FriendshipsPayload, call) async throws(SocialRefusal) -> FriendshipsPrivacyResponse in
            let caller = try await caller(call, token: asked.presented, missing: .synapseToken)
            let privacy = await population.privacy(of: caller.address)
            return .with { $0.privacy = FriendshipsPrivacy(privacy) }
        }
    }

    /// `UpdatePrivacy(UpdatePrivacyPayload) → PrivacyResponse`: on disk, and in effect, when the answer comes;
    /// presenced's own.
    var updatePrivacy: RPCProcedure {
        unary("UpdatePrivacy") {
            (asked: FriendshipsUpdatePrivacyPayload, call) async throws(SocialRefusal) -> FriendshipsPrivacyResponse
            in
            let caller = try await caller(call, token: asked.authToken.presented, missing: .authToken)
            guard let privacy = SocialPrivacy(asked.privacy) else {
                throw .badRequest("`privacy` is missing, or not known")
            }
            do throws(FriendshipRefusal) {
                try await population.setPrivacy(of: caller.address, to: privacy)
            } catch {
                guard error != .tooOften else {
                    throw .tooManyRequests("Too many changes of privacy. Please try again later")
                }
                throw SocialRefusal(error)
            }
            return .with { $0.privacy = FriendshipsPrivacy(privacy) }
        }
    }
}

extension FriendshipsPrivacy {
    init(_ privacy: SocialPrivacy) {
        self =
            switch privacy {
            case .full: .full
            case .stateOnly: .stateOnly
            case .hidden: .hidden
            }
    }
}

extension SocialPrivacy {
    init?(_ privacy: FriendshipsPrivacy) {
        switch privacy {
        case .full: self = .full
        case .stateOnly: self = .stateOnly
        case .hidden: self = .hidden
        case .unspecified, .UNRECOGNIZED: return nil
        }
    }
}
