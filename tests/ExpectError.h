#ifndef OPENMMFLOW_TESTS_EXPECTERROR_H_
#define OPENMMFLOW_TESTS_EXPECTERROR_H_

#include <gtest/gtest.h>

#include <cctype>
#include <string>

#include "openmm/OpenMMException.h"

namespace OpenMMFlow::tests {

/** Whether a message is what every error of this project must be: one sentence of reasonable length on one
 * line. What it quotes may be anything. */
inline bool isOneSentence(const std::string& message) {
    std::string own;
    bool isQuoted = false;
    for (size_t i = 0; i < message.size(); i++) {
        auto isLetter = [&](size_t k) {
            return k < message.size() && std::isalpha((unsigned char)message[k]);
        };
        const bool isApostrophe = i > 0 && isLetter(i - 1) && isLetter(i + 1);
        isQuoted ^= message[i] == '\'' && !isApostrophe;
        if (!isQuoted)
            own += message[i];
    }
    return !message.empty() && message.size() < 400 && message.find('\n') == std::string::npos
           && message.back() == '.' && own.find(". ") == std::string::npos;
}

/** Expect that an action throws an OpenMMException of one sentence, with this fragment in it. */
template <class Action>
void expectError(Action action, const std::string& fragment) {
    try {
        action();
    } catch (const OpenMM::OpenMMException& e) {
        std::string message = e.what();
        EXPECT_NE(message.find(fragment), std::string::npos) << message << "\nshould say\n" << fragment;
        EXPECT_TRUE(isOneSentence(message)) << message;
        return;
    }
    ADD_FAILURE() << "No OpenMMException; expected one which says: " << fragment;
}

}  // namespace OpenMMFlow::tests

#endif /*OPENMMFLOW_TESTS_EXPECTERROR_H_*/
