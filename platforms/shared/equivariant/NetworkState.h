// The network of a coupling at work, for as many samples at once as STRIDE reals hold. Included inside a
// namespace after Edges.h. No include guard: each meaning of `real` includes it once.

/** What particles have in each block of a network: before it, and after the last. */
struct NetworkValues {
    /** Moves are how far the vectors are from the points where they start, as `real` has these: small beside
     * them, so that a sum of both would round them off. */
    std::vector<Items> moves, features;
    /** What each block adds up. */
    std::vector<Items> messages;
};

/** Networks of one size on their way through a few samples. Each thread has its own. */
class NetworkState {
public:
    NetworkState(const EquivariantCouplingModel& model, const ParticleLayout& layout, int numVectors,
                 int numClouds)
        : layout(layout),
          numItems(layout.getNumItems()),
          numVectors(numVectors),
          numFeatures(model.getOptions().features),
          hidden(model.getOptions().hidden),
          numPairs(numVectors * (numVectors - 1) / 2),
          numBlocks(model.getOptions().blocks),
          edges(model, layout, numVectors, numClouds),
          nodeInput(numFeatures + numPairs, numItems),
          firstNodeInput(numFeatures, numItems),
          senderTerms(hidden, numItems),
          receiverTerms(hidden, numItems),
          nodeTerms(hidden, numItems),
          crossFactors(numVectors * (numVectors - 1), numItems),
          updateInput(hidden + numFeatures, numItems),
          cross(hidden, numItems),
          node(hidden, numItems) {}
    /** Evaluate a network on the points (3 a cloud, particles). What particles have is in `values`. */
    void evaluate(const Network& network, const WideItems& given, NetworkValues& values) {
        if (values.moves.empty()) {
            values.moves.assign(numBlocks + 1, Items(3 * numVectors, numItems));
            values.features.assign(numBlocks + 1, Items(numFeatures, numItems));
            values.messages.assign(numBlocks, Items(hidden, numItems));
        }
        select(given, values);
        keep(false);
        layout.fillByType(features[0], network.types, network.embeddings);
        for (int k = 0; k < numVectors; k++)
            for (int v = 0; v < numItems * STRIDE; v++)
                moves[0].setPoint(3 * k, v, rest.point(3 * network.conditioning[network.sources[k]], v));
        for (size_t b = 0; b < network.blocks.size(); b++)
            evaluateBlock(network, b);
    }
    /** Go on from what evaluate() has made of points; the values must stay where they are. */
    void select(const WideItems& given, NetworkValues& values) {
        if (points.getNumRows() != given.getNumRows())
            points = rest = Items(given.getNumRows(), numItems);
        points.assign(given);
        if constexpr (!std::is_same_v<Items, WideItems>)
            for (int row = 0; row < given.getNumRows(); row++)
                for (int v = 0; v < numItems * STRIDE; v++)
                    rest.at(row, v) =
                        convert<real>(given.at(row, v) - convert<wide::real>(points.at(row, v)));
        moves = values.moves;
        features = values.features;
        messages = values.messages;
    }
    const Items& getFeatures() const { return features.back(); }
    /** Get how far vector k has moved. */
    real3 getMove(int k, int v) const { return moves.back().point(3 * k, v) - moves.front().point(3 * k, v); }

    /** What the moves and the features are worth, to be set before backpropagate(). */
    void clearAdjoints() {
        if (vectorsAdjoint.getNumRows() == 0)
            prepareAdjoints();
        vectorsAdjoint.fill(0);
        featuresAdjoint.fill(0);
    }
    void addMoveAdjoint(int k, int v, real3 worth) { vectorsAdjoint.addPoint(3 * k, v, worth); }
    Items& getFeaturesAdjoint() { return featuresAdjoint; }
    /** From there to what the points are worth, which is added to `pointsAdjoint`. There is no gradient of
     * the parameters where particles are side by side. */
    void backpropagate(const Network& network, Items& pointsAdjoint, WeightGradient* gradient) {
        for (int k = 0; k < numVectors; k++)
            for (int v = 0; v < numItems * STRIDE; v++)
                pointsAdjoint.addPoint(3 * network.conditioning[network.sources[k]], v,
                                       real(-1.0) * vectorsAdjoint.point(3 * k, v));
        keep(true);
        for (int b = (int)network.blocks.size() - 1; b >= 0; b--)
            backpropagateBlock(network, b, pointsAdjoint, gradient);
        for (int k = 0; k < numVectors; k++)
            for (int v = 0; v < numItems * STRIDE; v++)
                pointsAdjoint.addPoint(3 * network.conditioning[network.sources[k]], v,
                                       vectorsAdjoint.point(3 * k, v));
        if (gradient != nullptr)
            for (int i = 0; i < layout.getNumParticles(); i++) {
                const size_t place = network.embedding + (size_t)network.types[i] * numFeatures;
                if (layout.isAcross())
                    gradient->addColumn(place, featuresAdjoint, i / ParticleLayout::COLUMNS,
                                        i % ParticleLayout::COLUMNS);
                else
                    gradient->addRows(place, featuresAdjoint, i);
            }
    }

private:
    void keep(bool isKept) {
        edges.keep(isKept);
        cross.keep(isKept);
        node.keep(isKept);
    }

    /** Get vector k minus vector l of one particle. */
    real3 getDifference(const Network& network, size_t b, int k, int l, int v) const {
        const real3 d = moves[b].point(3 * k, v) - moves[b].point(3 * l, v);
        const int from = network.sources[k], to = network.sources[l];
        return from == to ? d
                          : points.point(3 * network.conditioning[from], v)
                                - points.point(3 * network.conditioning[to], v) + d;
    }

    const Items& makeNodeInput(const Network& network, size_t b) {
        const Block& block = network.blocks[b];
        Items& input = block.hasCross ? nodeInput : firstNodeInput;
        for (int i = 0; i < numItems; i++)
            std::copy_n(features[b].item(i), (size_t)numFeatures * STRIDE, input.item(i));
        if (block.hasCross)
            for (int v = 0; v < numItems * STRIDE; v++) {
                int row = numFeatures;
                for (int k = 0; k < numVectors; k++)
                    for (int l = k + 1; l < numVectors; l++)
                        input.at(row++, v) = featureOf(squareOf(getDifference(network, b, k, l, v)));
            }
        return input;
    }

    /** What the edges of a block start from: a term for each particle that sends or receives. */
    void evaluateTerms(const Network& network, size_t b) {
        const Block& block = network.blocks[b];
        if (b > 0) {
            const Items& input = makeNodeInput(network, b);
            block.sender.weight.multiply(input.begin(), numItems, senderTerms.begin());
            block.receiver.weight.multiply(input.begin(), numItems, receiverTerms.begin());
            return;
        }
        // The features are those of the types.
        layout.fillByType(senderTerms, network.types, network.firstSenderTerms);
        layout.fillByType(receiverTerms, network.types, network.firstReceiverTerms);
    }

    void evaluateBlock(const Network& network, size_t b) {
        const Block& block = network.blocks[b];
        startEdges(network, b);
        moves[b + 1] = moves[b];
        messages[b].fill(0);
        edges.evaluate(moves[b + 1], messages[b]);
        if (block.hasCross) {
            evaluateCross(block, b);
            for (int v = 0; v < numItems * STRIDE; v++)
                forEachCross(network, b, v, [&](int k, int, int row, real3 d, real weight) {
                    moves[b + 1].addPoint(3 * k, v, crossFactors.at(row, v) * weight * d);
                });
        }
        if (b == 0) {
            network.firstNode.multiply(messages[0].begin(), numItems, node.getArgument());
            layout.fillByType(nodeTerms, network.types, network.firstNodeTerms);
            node.evaluate(block.node.second, numItems, [&](int i) {
                const real *given = node.getArgument() + (size_t)i * hidden * STRIDE,
                           *terms = nodeTerms.item(i);
                return [=](int k) { return given[k] + terms[k]; };
            });
        } else
            evaluateUpdate(block, b);
        block.nodeOutput.weight.multiply(node.output.begin(), numItems, features[b + 1].begin());
        for (int i = 0; i < numItems; i++)
            for (int k = 0; k < numFeatures * STRIDE; k++)
                features[b + 1].item(i)[k] = features[b + 1].item(i)[k] + features[b].item(i)[k];
    }

    void startEdges(const Network& network, size_t b) {
        evaluateTerms(network, b);
        edges.start(network, b, points, b == 0 ? rest : moves[b], senderTerms, receiverTerms);
    }

    void evaluateCross(const Block& block, size_t b) {
        block.cross.first.weight.multiply(messages[b].begin(), numItems, cross.getArgument());
        cross.evaluate(block.cross.second, numItems);
        block.crossOutput.weight.multiply(cross.output.begin(), numItems, crossFactors.begin());
    }

    /** Call visit(k, l, row, v_k - v_l, weight) for all pairs k != l of vectors of one particle. */
    template <class Visit>
    void forEachCross(const Network& network, size_t b, int v, const Visit& visit) const {
        int row = 0;
        for (int k = 0; k < numVectors; k++)
            for (int l = 0; l < numVectors; l++)
                if (l != k) {
                    const real3 d = getDifference(network, b, k, l, v);
                    visit(k, l, row++, d, real(1.0 / (numVectors - 1)) / (real(1.0) + squareOf(d)));
                }
    }

    void evaluateUpdate(const Block& block, size_t b) {
        for (int i = 0; i < numItems; i++) {
            real* input = updateInput.item(i);
            std::copy_n(messages[b].item(i), (size_t)hidden * STRIDE, input);
            std::copy_n(features[b].item(i), (size_t)numFeatures * STRIDE, input + (size_t)hidden * STRIDE);
        }
        block.node.first.weight.multiply(updateInput.begin(), numItems, node.getArgument());
        node.evaluate(block.node.second, numItems);
    }

    void prepareAdjoints() {
        vectorsAdjoint = previousAdjoint = Items(3 * numVectors, numItems);
        featuresAdjoint = Items(numFeatures, numItems);
        messageAdjoint = senderAdjoint = receiverAdjoint = Items(hidden, numItems);
        crossAdjoint = Items(numVectors * (numVectors - 1), numItems);
        nodeInputAdjoint = Items(numFeatures + numPairs, numItems);
    }

    void backpropagateBlock(const Network& network, size_t b, Items& pointsAdjoint,
                            WeightGradient* gradient) {
        const Block& block = network.blocks[b];
        previousAdjoint = vectorsAdjoint;
        backpropagateUpdate(block, b, gradient);
        if (block.hasCross)
            backpropagateCross(network, b, gradient);
        startEdges(network, b);
        senderAdjoint.fill(0);
        receiverAdjoint.fill(0);
        edges.backpropagate(vectorsAdjoint, messageAdjoint, b == 0 ? pointsAdjoint : previousAdjoint,
                            senderAdjoint, receiverAdjoint, gradient);
        const Items& input = makeNodeInput(network, b);
        if (gradient != nullptr) {
            gradient->add(block.sender.place, senderAdjoint.begin(), input.begin(), numItems);
            gradient->add(block.receiver.place, receiverAdjoint.begin(), input.begin(), numItems);
        }
        block.sender.transposed.multiply(senderAdjoint.begin(), numItems,
                                         [&](int row, int v, real y) { nodeInputAdjoint.at(row, v) = y; });
        block.receiver.transposed.multiply(receiverAdjoint.begin(), numItems, [&](int row, int v, real y) {
            nodeInputAdjoint.at(row, v) = nodeInputAdjoint.at(row, v) + y;
        });
        for (int v = 0; v < numItems * STRIDE; v++) {
            for (int f = 0; f < numFeatures; f++)
                featuresAdjoint.at(f, v) = featuresAdjoint.at(f, v) + nodeInputAdjoint.at(f, v);
            if (!block.hasCross)
                continue;
            int row = numFeatures;
            for (int k = 0; k < numVectors; k++)
                for (int l = k + 1; l < numVectors; l++) {
                    const real3 d = getDifference(network, b, k, l, v);
                    const real3 worth =
                        real(2.0) * nodeInputAdjoint.at(row++, v) * featureDerivative(squareOf(d)) * d;
                    previousAdjoint.addPoint(3 * k, v, worth);
                    previousAdjoint.addPoint(3 * l, v, real(-1.0) * worth);
                }
        }
        std::swap(vectorsAdjoint, previousAdjoint);
    }

    void backpropagateUpdate(const Block& block, size_t b, WeightGradient* gradient) {
        evaluateUpdate(block, b);
        if (gradient != nullptr)
            gradient->add(block.nodeOutput.place, featuresAdjoint.begin(), node.output.begin(), numItems);
        block.nodeOutput.transposed.multiply(featuresAdjoint.begin(), numItems, node.adjoint.begin());
        node.backpropagate(block.node.second, numItems, gradient);
        if (gradient != nullptr)
            gradient->add(block.node.first.place, node.adjoint.begin(), updateInput.begin(), numItems);
        block.node.first.transposed.multiply(node.adjoint.begin(), numItems, [&](int row, int v, real y) {
            if (row < hidden)
                messageAdjoint.at(row, v) = y;
            else
                featuresAdjoint.at(row - hidden, v) = featuresAdjoint.at(row - hidden, v) + y;
        });
    }

    void backpropagateCross(const Network& network, size_t b, WeightGradient* gradient) {
        const Block& block = network.blocks[b];
        evaluateCross(block, b);
        for (int v = 0; v < numItems * STRIDE; v++)
            forEachCross(network, b, v, [&](int k, int l, int row, real3 d, real weight) {
                const real3 given = vectorsAdjoint.point(3 * k, v);
                const real along = dotProduct(given, d), factor = crossFactors.at(row, v);
                crossAdjoint.at(row, v) = weight * along;
                const real3 worth =
                    factor * weight * (given - real(2.0 * (numVectors - 1)) * weight * along * d);
                previousAdjoint.addPoint(3 * k, v, worth);
                previousAdjoint.addPoint(3 * l, v, real(-1.0) * worth);
            });
        if (gradient != nullptr)
            gradient->add(block.crossOutput.place, crossAdjoint.begin(), cross.output.begin(), numItems);
        block.crossOutput.transposed.multiply(crossAdjoint.begin(), numItems, cross.adjoint.begin());
        cross.backpropagate(block.cross.second, numItems, gradient);
        if (gradient != nullptr)
            gradient->add(block.cross.first.place, cross.adjoint.begin(), messages[b].begin(), numItems);
        block.cross.first.transposed.multiply(cross.adjoint.begin(), numItems, [&](int row, int v, real y) {
            messageAdjoint.at(row, v) = messageAdjoint.at(row, v) + y;
        });
    }

    const ParticleLayout layout;
    int numItems, numVectors, numFeatures, hidden, numPairs, numBlocks;
    /** The points that were given, and what `real` has rounded off. */
    Items points, rest;
    EdgeState edges;
    /** Those of the values that are selected. */
    std::span<Items> moves, features, messages;
    Items nodeInput, firstNodeInput, senderTerms, receiverTerms, nodeTerms, crossFactors, updateInput;
    ResidualState cross, node;
    Items vectorsAdjoint, previousAdjoint, featuresAdjoint, messageAdjoint, senderAdjoint, receiverAdjoint,
        crossAdjoint, nodeInputAdjoint;
};
