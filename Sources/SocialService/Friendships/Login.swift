import SocialTransport
import SocialWire

extension FriendshipsService {
    /// `Login(LoginPayload) → LoginResponse`: who has the connection from now on, by the signatures of a wallet over
    /// `timestamp`. Again for the same address is no error; for another one it is. Facts: section 4.1; PROTO 64d151b.
    var login: RPCProcedure {
        RPCProcedure(
            "Login",
            .unary { call in
                guard let asked = try? FriendshipsLoginPayload(serializedBytes: call.payload) else {
                    throw RPCFailure("the request does not decode")
                }
                let problem = credentials.logIn(
                    call.session, chain: asked.authChain, address: asked.address, timestamp: asked.timestamp)
                let answer = FriendshipsLoginResponse.with { answer in
                    if let problem {
                        answer.unauthorizedError = .with { $0.message = problem }
                    } else {
                        answer.welcomeMessage = FriendshipsWelcomeMessage()
                    }
                }
                return try answer.serializedBytes()
            })
    }
}
